/// The moving average of weights.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/view.h>

#include <algorithm>

namespace minception {

void CpuBackend::ema_update(const EmaUpdate& op, Workspace) {
  const bool starts = op.step.as<const std::int64_t>()[0] <= 1;
  const auto share = static_cast<float>(1.0 - op.decay);
  const float* w = cpu::values(op.w);
  float* average = cpu::values(op.average);
  const std::int64_t length = op.w.elements();
  cpu::parallel(threads_, length, length, [&](std::int64_t begin, std::int64_t end, int) {
    if (starts) {
      std::copy(w + begin, w + end, average + begin);
      return;
    }
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) average[i] += share * (w[i] - average[i]);
  });
}

}  // namespace minception
