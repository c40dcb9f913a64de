/// Exponential moving average of weights.

#include "core/moving_average.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <algorithm>

namespace minception {

void CpuBackend::ema_update(const EmaUpdate& op, Workspace) {
  const std::int64_t step = op.step.as<const std::int64_t>()[0];
  const bool starts = step <= 1;
  const auto t = static_cast<double>(step);
  const auto kept = static_cast<float>(std::min(op.decay, (1.0 + t) / (10.0 + t)));
  const auto taken = static_cast<float>(std::max(1.0 - op.decay, 9.0 / (10.0 + t)));
  const float* w = cpu::values(op.w);
  float* average = cpu::values(op.average);
  const std::int64_t length = op.w.elements();
  cpu::parallel(threads_, length, length, [&](std::int64_t begin, std::int64_t end, int) {
    if (starts) {
      std::copy(w + begin, w + end, average + begin);
      return;
    }
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) average[i] = moving_average(average[i], w[i], kept, taken);
  });
}

}  // namespace minception
