/// Adam and AdamW over the flat parameter buffer in one launch (parameter_runs.h). The step number, learning rate and
/// beta1 are read from device memory, so that a captured step can be replayed with new values.

#include "core/moving_average.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/parameter_runs.h"

#include <cmath>
#include <cstdint>

namespace minception {
namespace cuda {
namespace {

/// Launch-time constants. 1 - beta^t is computed as -expm1(t * log(beta)): the difference in float would keep only
/// three digits of 1 - 0.999.
struct AdamConstants {
  float log_beta2;
  float beta2, new2;  ///< new2 = 1 - beta2
  float epsilon;
  bool decoupled;
};

struct AdamSettings {
  float rate;    ///< learning rate / (1 - beta1^t)
  float factor;  ///< clip coefficient
  float decay;   ///< weight decay, with `decoupled` times the learning rate
  float beta1, new1;
  float spread;  ///< 1 / sqrt(1 - beta2^t)
  AdamConstants constants;

  __device__ void update(float g, float& w, float& m, float& v) const {
    const float gradient = constants.decoupled ? factor * g : factor * g + decay * w;
    m = moving_average(m, gradient, beta1, new1);
    v = moving_average(v, gradient * gradient, constants.beta2, constants.new2);
    if (constants.decoupled) w -= decay * w;
    w -= rate * m / (sqrtf(v) * spread + constants.epsilon);
  }
};

}  // namespace

/// `factor` may be nullptr: no clipping.
template <int V>
__global__ void __launch_bounds__(kParametersBlock)
    adam_step(const std::int64_t* step, const float* schedule, const float* factor, const float* g, float* w, float* m,
              float* v, AdamConstants constants, const ParameterRuns runs) {
  const ParameterPlace place = parameter_place<V>(runs);
  const int first = place.first;
  if (first >= place.end) return;
  const auto t = static_cast<float>(step[0]);
  const float rate = schedule[0] * place.learning_rate_scale;
  const AdamSettings settings = {rate / -expm1f(t * logf(schedule[1])),
                                 factor != nullptr ? factor[0] : 1.0f,
                                 constants.decoupled ? rate * place.weight_decay : place.weight_decay,
                                 schedule[1],
                                 1.0f - schedule[1],
                                 1.0f / sqrtf(-expm1f(t * constants.log_beta2)),
                                 constants};
  if (place.whole<V>()) {
    const FloatArray<V> gradients = load<V>(g + first);
    FloatArray<V> weights = load<V>(w + first);
    FloatArray<V> firsts = load<V>(m + first);
    FloatArray<V> seconds = load<V>(v + first);
#pragma unroll
    for (int i = 0; i < V; ++i) settings.update(gradients[i], weights[i], firsts[i], seconds[i]);
    store<V>(w + first, weights);
    store<V>(m + first, firsts);
    store<V>(v + first, seconds);
    return;
  }
  for (int i = max(first, place.begin); i < place.end && i < first + V; ++i) settings.update(g[i], w[i], m[i], v[i]);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::adam_step(const AdamStep& op, Workspace) {
  const View<float> w = view<float>(op.w);
  const View<const float> g = const_view<float>(op.g);
  const View<float> m = view<float>(op.m);
  const View<float> v = view<float>(op.v);
  const AdamConstants constants = {static_cast<float>(std::log(op.beta2)), static_cast<float>(op.beta2),
                                   static_cast<float>(1.0 - op.beta2), static_cast<float>(op.epsilon), op.decoupled};
  for_alignment(
      [&]<int V>() {
        for_each_launch<V>(op.groups, [&](int blocks, const ParameterRuns& runs) {
          launch<cuda::adam_step<V>>(blocks, kParametersBlock, 0, stream_, values<const std::int64_t>(op.step),
                                     values<const float>(op.schedule), values<const float>(op.factor), g.data, w.data,
                                     m.data, v.data, constants, runs);
        });
      },
      w.data, g.data, m.data, v.data);
}

}  // namespace minception
