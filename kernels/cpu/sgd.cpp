/// Stochastic gradient descent over the flat parameter buffer, one pass for all parameters.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/parameter_runs.h"
#include "kernels/cpu/view.h"

namespace minception {
namespace {

struct Step {
  float learning_rate, momentum, weight_decay;
  float factor;  ///< multiplies the gradient
  bool nesterov;
};

void update(const Step& step, std::int64_t count, const float* g, float* w, float* v) {
  const auto [learning_rate, momentum, weight_decay, factor, nesterov] = step;
  if (v == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) w[i] -= learning_rate * (factor * g[i] + weight_decay * w[i]);
  } else if (nesterov) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      const float gradient = factor * g[i] + weight_decay * w[i];
      v[i] = momentum * v[i] + gradient;
      w[i] -= learning_rate * (gradient + momentum * v[i]);
    }
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      v[i] = momentum * v[i] + (factor * g[i] + weight_decay * w[i]);
      w[i] -= learning_rate * v[i];
    }
  }
}

}  // namespace

void CpuBackend::sgd_step(const SgdStep& op, Workspace) {
  const float* schedule = cpu::values(op.schedule);
  const float* g = cpu::values(op.g);
  float* w = cpu::values(op.w);
  float* v = cpu::values(op.v);
  const float momentum = schedule[1];
  const float factor = op.factor.defined() ? cpu::values(op.factor)[0] : 1.0f;
  const auto run = [&](const ParameterGroup& group, std::int64_t first, std::int64_t count) {
    const Step step{static_cast<float>(schedule[0] * group.learning_rate_scale), momentum,
                    static_cast<float>(group.weight_decay), factor, op.nesterov};
    update(step, count, g + first, w + first, v == nullptr ? nullptr : v + first);
  };
  cpu::for_each_trained_run(threads_, op.w.elements(), op.groups, run);
}

}  // namespace minception
