/// Adam and AdamW over the flat parameter buffer, one pass for all parameters.

#include "core/moving_average.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/parameter_runs.h"
#include "kernels/cpu/view.h"

#include <cmath>

namespace minception {
namespace {

struct Step {
  float rate;         ///< learning rate / bias correction of the first moment
  float factor;       ///< multiplies the gradient
  float decay;        ///< weight decay; with `decoupled`, times the learning rate
  float beta1, new1;  ///< new = 1 - beta
  float beta2, new2;
  float spread;  ///< 1 / sqrt(bias correction of the second moment)
  float epsilon;

  template <bool decoupled>
  void update(std::int64_t count, const float* g, float* w, float* m, float* v) const {
    const Step s = *this;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      const float gradient = decoupled ? s.factor * g[i] : s.factor * g[i] + s.decay * w[i];
      const float first = moving_average(m[i], gradient, s.beta1, s.new1);
      const float second = moving_average(v[i], gradient * gradient, s.beta2, s.new2);
      m[i] = first;
      v[i] = second;
      const float weight = decoupled ? w[i] - s.decay * w[i] : w[i];
      w[i] = weight - s.rate * first / (std::sqrt(second) * s.spread + s.epsilon);
    }
  }
};

}  // namespace

void CpuBackend::adam_step(const AdamStep& op, Workspace) {
  const auto t = static_cast<double>(op.step.as<const std::int64_t>()[0]);
  const float* schedule = cpu::values(op.schedule);
  const double beta1 = schedule[1];
  const double correction1 = 1.0 - std::pow(beta1, t);
  const double correction2 = 1.0 - std::pow(op.beta2, t);
  const float factor = op.factor.defined() ? cpu::values(op.factor)[0] : 1.0f;
  const float* g = cpu::values(op.g);
  float* w = cpu::values(op.w);
  float* m = cpu::values(op.m);
  float* v = cpu::values(op.v);
  const auto run = [&](const ParameterGroup& group, std::int64_t first, std::int64_t count) {
    const double rate = schedule[0] * group.learning_rate_scale;
    const Step step = {.rate = static_cast<float>(rate / correction1),
                       .factor = factor,
                       .decay = static_cast<float>((op.decoupled ? rate : 1.0) * group.weight_decay),
                       .beta1 = schedule[1],
                       .new1 = static_cast<float>(1.0 - beta1),
                       .beta2 = static_cast<float>(op.beta2),
                       .new2 = static_cast<float>(1.0 - op.beta2),
                       .spread = static_cast<float>(1.0 / std::sqrt(correction2)),
                       .epsilon = static_cast<float>(op.epsilon)};
    if (op.decoupled) {
      step.update<true>(count, g + first, w + first, m + first, v + first);
    } else {
      step.update<false>(count, g + first, w + first, m + first, v + first);
    }
  };
  cpu::for_each_trained_run(threads_, op.w.elements(), op.groups, run);
}

}  // namespace minception
