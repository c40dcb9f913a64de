/// Stochastic gradient descent over the flat parameter buffer in one launch (parameter_runs.h). Learning rate and
/// momentum are read from device memory, so that a captured step can be replayed with new values.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/parameter_runs.h"

#include <limits>

namespace minception {
namespace cuda {
namespace {

struct SgdSettings {
  float learning_rate, momentum, weight_decay;
  float factor;  ///< clip coefficient
  bool nesterov;
  bool has_velocity;

  __device__ void update(float g, float& w, float& v) const {
    const float gradient = factor * g + weight_decay * w;
    v = has_velocity ? momentum * v + gradient : gradient;
    w -= learning_rate * (nesterov ? gradient + momentum * v : v);
  }
};

}  // namespace

/// `v` and `factor` may be nullptr.
template <int V>
__global__ void __launch_bounds__(kParametersBlock)
    sgd_step(const float* schedule, const float* factor, const float* g, float* w, float* v, bool nesterov,
             const ParameterRuns runs) {
  const ParameterPlace place = parameter_place<V>(runs);
  SgdSettings settings = {schedule[0] * place.learning_rate_scale, schedule[1], place.weight_decay,
                          factor != nullptr ? factor[0] : 1.0f,    nesterov,    v != nullptr};
  // A kernel cannot throw, so momentum without v sets the weights to NaN.
  if (v == nullptr && settings.momentum != 0.0f) settings.learning_rate = std::numeric_limits<float>::quiet_NaN();

  const int first = place.first;
  if (first >= place.end) return;
  if (place.whole<V>()) {
    const FloatArray<V> gradients = load<V>(g + first);
    FloatArray<V> weights = load<V>(w + first);
    FloatArray<V> velocities = {};
    if (v != nullptr) velocities = load<V>(v + first);
#pragma unroll
    for (int i = 0; i < V; ++i) settings.update(gradients[i], weights[i], velocities[i]);
    store<V>(w + first, weights);
    if (v != nullptr) store<V>(v + first, velocities);
    return;
  }
  for (int i = max(first, place.begin); i < place.end && i < first + V; ++i) {
    float velocity = v != nullptr ? v[i] : 0.0f;
    settings.update(g[i], w[i], velocity);
    if (v != nullptr) v[i] = velocity;
  }
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::sgd_step(const SgdStep& op, Workspace) {
  const View<float> w = view<float>(op.w);
  const View<const float> g = const_view<float>(op.g);
  const View<float> v = op.v.defined() ? view<float>(op.v) : View<float>{};
  for_alignment(
      [&]<int V>() {
        for_each_launch<V>(op.groups, [&](int blocks, const ParameterRuns& runs) {
          launch<cuda::sgd_step<V>>(blocks, kParametersBlock, 0, stream_, values<const float>(op.schedule),
                                    values<const float>(op.factor), g.data, w.data, v.data, op.nesterov, runs);
        });
      },
      w.data, g.data, v.data);
}

}  // namespace minception
