#pragma once
/// Per-channel sums over pixels in a fixed order: rows of a block in f32, then blocks in f64, then threads.

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/view.h"

#include <algorithm>
#include <cstdint>

namespace minception::cpu {

/// Rows summed in f32 before the sum is added to an f64 sum. Short blocks keep rounding near that of a single value.
inline constexpr std::int64_t kBlockRows = 64;

/// Memory for sums of `width` columns.
struct ColumnSums {
  int threads;
  std::int64_t width;
  float* blocks;   ///< one row per thread
  double* totals;  ///< one row per thread; the result is in the first

  ColumnSums(int thread_count, std::int64_t columns, Scratch& scratch)
      : threads(thread_count),
        width(columns),
        blocks(scratch.take<float>(thread_count * columns)),
        totals(scratch.take<double>(thread_count * columns)) {}

  /// add(begin, end, sums) adds rows [begin, end), at most kBlockRows, to `sums`, which starts at zero.
  /// Returns the sums over all rows.
  template <class Add>
  const double* reduce(std::int64_t rows, Add&& add) const {
    std::fill(totals, totals + threads * width, 0.0);
    parallel(threads, rows, rows * width, [&](std::int64_t begin, std::int64_t end, int thread) {
      float* block = blocks + thread * width;
      double* total = totals + thread * width;
      for (; begin < end; begin += kBlockRows) {
        std::fill(block, block + width, 0.0f);
        add(begin, std::min(begin + kBlockRows, end), block);
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) total[c] += static_cast<double>(block[c]);
      }
    });
    for (int thread = 1; thread < threads; ++thread) {
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) totals[c] += totals[thread * width + c];
    }
    return totals;
  }
};

/// out[c] (+)= sum over the pixels of x, f32 or bf16: the bias gradient.
template <class T>
void sum_pixels(const View<const T>& x, const ColumnSums& sums, float* out, bool accumulate);

}  // namespace minception::cpu
