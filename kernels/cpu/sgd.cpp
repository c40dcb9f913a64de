/// Stochastic gradient descent over the flat parameter buffer, one pass for all parameters.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/view.h>

namespace minception {
namespace {

struct Step {
  float learning_rate, momentum, weight_decay;
  float factor;  ///< of the gradient
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
  require(v != nullptr || momentum == 0.0f, "sgd_step: a momentum of ", momentum, " needs the operand v");
  // Threads share the buffer, not the segments: those differ in size by a factor of a million.
  const std::int64_t length = op.w.elements();
  cpu::parallel(threads_, length, length, [&](std::int64_t begin, std::int64_t end, int) {
    for (const ParameterSegment& segment : op.segments) {
      const std::int64_t first = std::max(begin, segment.begin);
      const std::int64_t last = std::min(end, segment.begin + segment.count);
      if (!segment.trains || first >= last) continue;
      const Step step{static_cast<float>(schedule[0] * segment.learning_rate_scale), momentum,
                      static_cast<float>(segment.weight_decay), factor, op.nesterov};
      update(step, last - first, g + first, w + first, v == nullptr ? nullptr : v + first);
    }
  });
}

}  // namespace minception
