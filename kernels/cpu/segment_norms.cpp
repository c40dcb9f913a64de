/// Norms of the segments of a flat buffer. Threads share the buffer, not the segments, which differ in size by a factor
/// of a million; each has its own sums per segment, added up in the order of the threads.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/view.h>

#include <algorithm>
#include <cmath>

namespace minception {
namespace {

using namespace cpu;

/// Per thread and segment: sum of squares, number of elements that are not finite.
struct Sums {
  std::int64_t segments;
  double* squares;
  double* not_finite;

  Sums(int threads, std::int64_t count, Scratch& scratch)
      : segments(count),
        squares(scratch.take<double>(threads * count)),
        not_finite(scratch.take<double>(threads * count)) {}
};

}  // namespace

void CpuBackend::segment_norms(const SegmentNorms& op, Workspace workspace) {
  const float* x = values(op.x);
  const auto segments = static_cast<std::int64_t>(op.segments.size());
  Scratch scratch(workspace);
  const Sums sums(threads_, segments, scratch);
  std::fill_n(sums.squares, threads_ * segments, 0.0);
  std::fill_n(sums.not_finite, threads_ * segments, 0.0);
  const std::int64_t length = op.x.elements();
  parallel(threads_, length, length, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t k = 0; k < segments; ++k) {
      const ParameterSegment& segment = op.segments[static_cast<std::size_t>(k)];
      const std::int64_t first = std::max(begin, segment.begin);
      const std::int64_t last = std::min(end, segment.begin + segment.count);
      double squares = 0.0;
      double not_finite = 0.0;
#pragma omp simd reduction(+ : squares, not_finite)
      for (std::int64_t i = first; i < last; ++i) {
        const double value = x[i];
        squares += value * value;
        not_finite += std::isfinite(x[i]) ? 0.0 : 1.0;
      }
      sums.squares[thread * segments + k] = squares;
      sums.not_finite[thread * segments + k] = not_finite;
    }
  });
  const View<float> y = view<float>(op.y);
  for (std::int64_t k = 0; k < segments; ++k) {
    double squares = 0.0;
    double not_finite = 0.0;
    for (int thread = 0; thread < threads_; ++thread) {
      squares += sums.squares[thread * segments + k];
      not_finite += sums.not_finite[thread * segments + k];
    }
    y.pixel(k)[0] = static_cast<float>(std::sqrt(squares));
    y.pixel(k)[1] = static_cast<float>(not_finite);
  }
}

Requirements CpuBackend::needs(const SegmentNorms& op) {
  Scratch scratch;
  const Sums sums(threads_, static_cast<std::int64_t>(op.segments.size()), scratch);
  return {scratch.taken(), 0};
}

}  // namespace minception
