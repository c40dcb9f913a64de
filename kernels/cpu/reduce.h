#pragma once
/// Sums over pixels, channel by channel, in a fixed order: blocks of rows in f32, blocks added up in f64,
/// threads last.

#include <minception/kernels/cpu/parallel.h>
#include <minception/kernels/cpu/scratch.h>
#include <minception/kernels/cpu/view.h>

#include <algorithm>
#include <cstdint>

namespace minception::cpu {

/// Rows that are summed in f32 before the sum moves on to f64: short, so that rounding stays near that of one
/// value.
inline constexpr std::int64_t kBlockRows = 64;

/// Memory for sums of `width` columns.
struct ColumnSums {
  int threads;
  std::int64_t width;
  float* blocks;   ///< one row per thread
  double* totals;  ///< one row per thread; the first holds the result

  ColumnSums(int thread_count, std::int64_t columns, Scratch& scratch)
      : threads(thread_count),
        width(columns),
        blocks(scratch.take<float>(thread_count * columns)),
        totals(scratch.take<double>(thread_count * columns)) {}

  /// add(begin, end, sums) adds rows [begin, end), at most kBlockRows, to `sums`, which starts at zero.
  /// Returns the totals over all rows.
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

/// out[c] (+)= sum over the pixels of x, f32 or bf16: the gradient of a bias.
template <class T>
void sum_pixels(const View<const T>& x, const ColumnSums& sums, float* out, bool accumulate);

}  // namespace minception::cpu
