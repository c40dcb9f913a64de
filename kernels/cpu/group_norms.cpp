/// Norms of the groups of a flat buffer. The buffer is split over threads, not the groups, whose sizes differ by a
/// factor of a million. Each thread has its own sums per group; they are added in thread order.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <algorithm>
#include <cmath>

namespace minception {
namespace {

using namespace cpu;

/// Sum of squares and number of non-finite elements, per thread and group.
struct Sums {
  std::int64_t groups;
  double* squares;
  double* not_finite;

  Sums(int threads, std::int64_t count, Scratch& scratch)
      : groups(count),
        squares(scratch.take<double>(threads * count)),
        not_finite(scratch.take<double>(threads * count)) {}
};

}  // namespace

void CpuBackend::group_norms(const GroupNorms& op, Workspace workspace) {
  const float* x = values(op.x);
  const auto groups = static_cast<std::int64_t>(op.groups.size());
  Scratch scratch(workspace);
  const Sums sums(threads_, groups, scratch);
  std::fill_n(sums.squares, threads_ * groups, 0.0);
  std::fill_n(sums.not_finite, threads_ * groups, 0.0);
  const std::int64_t length = op.x.elements();
  parallel(threads_, length, length, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t k = 0; k < groups; ++k) {
      const ParameterGroup& group = op.groups[static_cast<std::size_t>(k)];
      const std::int64_t first = std::max(begin, group.begin);
      const std::int64_t last = std::min(end, group.begin + group.count);
      double squares = 0.0;
      double not_finite = 0.0;
#pragma omp simd reduction(+ : squares, not_finite)
      for (std::int64_t i = first; i < last; ++i) {
        const double value = x[i];
        squares += value * value;
        not_finite += std::isfinite(x[i]) ? 0.0 : 1.0;
      }
      sums.squares[thread * groups + k] = squares;
      sums.not_finite[thread * groups + k] = not_finite;
    }
  });
  const View<float> y = view<float>(op.y);
  for (std::int64_t k = 0; k < groups; ++k) {
    double squares = 0.0;
    double not_finite = 0.0;
    for (int thread = 0; thread < threads_; ++thread) {
      squares += sums.squares[thread * groups + k];
      not_finite += sums.not_finite[thread * groups + k];
    }
    y.pixel(k)[0] = static_cast<float>(std::sqrt(squares));
    y.pixel(k)[1] = static_cast<float>(not_finite);
  }
}

Requirements CpuBackend::needs(const GroupNorms& op) {
  Scratch scratch;
  const Sums sums(threads_, static_cast<std::int64_t>(op.groups.size()), scratch);
  return {scratch.taken(), 0};
}

}  // namespace minception
