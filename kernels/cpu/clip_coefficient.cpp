/// Clip coefficient of gradients. The buffer is split over threads; their sums are added in thread order.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace minception {

using namespace cpu;

void CpuBackend::clip_coefficient(const ClipCoefficient& op, Workspace workspace) {
  const float* g = values(op.g);
  Scratch scratch(workspace);
  double* const sums = scratch.take<double>(threads_);
  std::fill_n(sums, threads_, 0.0);
  const std::int64_t length = op.g.elements();
  parallel(threads_, length, length, [&](std::int64_t begin, std::int64_t end, int thread) {
    double squares = 0.0;
    for (const ParameterGroup& group : op.groups) {
      if (!group.trains) continue;
      const std::int64_t first = std::max(begin, group.begin);
      const std::int64_t last = std::min(end, group.begin + group.count);
#pragma omp simd reduction(+ : squares)
      for (std::int64_t i = first; i < last; ++i) squares += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    }
    sums[thread] = squares;
  });
  double squares = 0.0;
  for (int thread = 0; thread < threads_; ++thread) squares += sums[thread];
  // Squares of floats do not overflow a double, so a non-finite sum means a non-finite gradient.
  const double factor = std::isfinite(squares) ? std::min(1.0, op.max_norm / (std::sqrt(squares) + 1e-6))
                                               : std::numeric_limits<double>::quiet_NaN();
  values(op.factor)[0] = static_cast<float>(factor);
}

Requirements CpuBackend::needs(const ClipCoefficient&) {
  Scratch scratch;
  scratch.take<double>(threads_);
  return {scratch.taken(), 0};
}

}  // namespace minception
