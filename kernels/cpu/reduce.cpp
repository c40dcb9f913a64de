/// Bias gradient: a sum over pixels.

#include "kernels/cpu/reduce.h"

namespace minception::cpu {

template <class T>
void sum_pixels(const View<const T>& x, const ColumnSums& sums, float* out, bool accumulate) {
  const double* totals = sums.reduce(x.pixels(), [&](std::int64_t begin, std::int64_t end, float* block) {
    std::int64_t row = begin;
    for (; row + 4 <= end; row += 4) {
      const T* a = x.pixel(row);
      const T* b = x.pixel(row + 1);
      const T* c = x.pixel(row + 2);
      const T* d = x.pixel(row + 3);
#pragma omp simd
      for (std::int64_t i = 0; i < x.c; ++i) block[i] += (a[i] + b[i]) + (c[i] + d[i]);
    }
    for (; row < end; ++row) {
      const T* a = x.pixel(row);
#pragma omp simd
      for (std::int64_t i = 0; i < x.c; ++i) block[i] += a[i];
    }
  });
  for (std::int64_t i = 0; i < x.c; ++i) {
    out[i] = static_cast<float>(accumulate ? static_cast<double>(out[i]) + totals[i] : totals[i]);
  }
}

template void sum_pixels(const View<const float>&, const ColumnSums&, float*, bool);
template void sum_pixels(const View<const bf16>&, const ColumnSums&, float*, bool);

}  // namespace minception::cpu
