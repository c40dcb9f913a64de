#pragma once
/// Average pooling, generic over the windows. A window is the product of an interval of rows and one of columns.
/// An axis gives the interval of window p, its factor of the divisor and, for gradients, the windows around a pixel.

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/view.h"

#include <algorithm>
#include <cstdint>

namespace minception::cpu {

/// Channels processed at a time, in a buffer that stays in the first-level cache.
inline constexpr std::int64_t kChannelBlock = 256;

template <class T, class Axis>
void average(int threads, const View<const T>& x, const View<T>& y, const Axis& rows, const Axis& columns) {
  parallel(threads, y.pixels(), std::max(x.elements(), y.elements()), [&](std::int64_t begin, std::int64_t end, int) {
    float sums[kChannelBlock];
    for (; begin < end; ++begin) {
      const std::int64_t q = begin % y.w;
      const std::int64_t p = begin / y.w % y.h;
      const std::int64_t n = begin / (y.w * y.h);
      const float factor = 1.0f / static_cast<float>(rows.divisor(p) * columns.divisor(q));
      for (std::int64_t first = 0; first < y.c; first += kChannelBlock) {
        const std::int64_t count = std::min(kChannelBlock, y.c - first);
        std::fill_n(sums, count, 0.0f);
        for (std::int64_t h = rows.begin(p); h < rows.end(p); ++h) {
          for (std::int64_t w = columns.begin(q); w < columns.end(q); ++w) {
            const T* in = x.pixel(n, h, w) + first;
#pragma omp simd
            for (std::int64_t c = 0; c < count; ++c) sums[c] += in[c];
          }
        }
        T* out = y.pixel(begin) + first;
#pragma omp simd
        for (std::int64_t c = 0; c < count; ++c) round_into(out[c], sums[c] * factor);
      }
    }
  });
}

template <class T, class Axis>
void average_gradient(int threads, const View<const T>& dy, const GradientStore<T>& store, const Axis& rows,
                      const Axis& columns) {
  const View<T>& dx = store.dx;
  parallel(threads, dx.pixels(), std::max(dx.elements(), dy.elements()),
           [&](std::int64_t begin, std::int64_t end, int) {
             float sums[kChannelBlock];
             for (; begin < end; ++begin) {
               const std::int64_t w = begin % dx.w;
               const std::int64_t h = begin / dx.w % dx.h;
               const std::int64_t n = begin / (dx.w * dx.h);
               for (std::int64_t first = 0; first < dx.c; first += kChannelBlock) {
                 const std::int64_t count = std::min(kChannelBlock, dx.c - first);
                 std::fill_n(sums, count, 0.0f);
                 for (std::int64_t p = rows.first_holding(h); p <= rows.last_holding(h); ++p) {
                   for (std::int64_t q = columns.first_holding(w); q <= columns.last_holding(w); ++q) {
                     const float factor = 1.0f / static_cast<float>(rows.divisor(p) * columns.divisor(q));
                     const T* gradient = dy.pixel(n, p, q) + first;
#pragma omp simd
                     for (std::int64_t c = 0; c < count; ++c) sums[c] += gradient[c] * factor;
                   }
                 }
                 store.put(Run{begin, first, count}, [&sums](std::int64_t c) { return sums[c]; });
               }
             }
           });
}

/// Windows of equal extent at a fixed stride.
struct PoolAxis {
  std::int64_t in, out, kernel, stride, padding;
  bool counts_padding;

  std::int64_t origin(std::int64_t p) const { return p * stride - padding; }
  std::int64_t begin(std::int64_t p) const { return std::max<std::int64_t>(0, origin(p)); }
  std::int64_t end(std::int64_t p) const { return std::min(origin(p) + kernel, in); }
  std::int64_t divisor(std::int64_t p) const {
    return counts_padding ? std::min(origin(p) + kernel, in + padding) - origin(p) : end(p) - begin(p);
  }
  std::int64_t first_holding(std::int64_t h) const {
    const std::int64_t beyond = h + padding - kernel;  // window p ends before h if p * stride <= beyond
    return beyond < 0 ? 0 : beyond / stride + 1;
  }
  std::int64_t last_holding(std::int64_t h) const { return std::min(out - 1, (h + padding) / stride); }
};

/// `out` windows that cover `in` pixels evenly: adaptive pooling, and global pooling with out = 1.
struct AdaptiveAxis {
  std::int64_t in, out;

  std::int64_t begin(std::int64_t p) const { return p * in / out; }
  std::int64_t end(std::int64_t p) const { return ((p + 1) * in + out - 1) / out; }
  std::int64_t divisor(std::int64_t p) const { return end(p) - begin(p); }
  std::int64_t first_holding(std::int64_t h) const { return h * out / in; }
  std::int64_t last_holding(std::int64_t h) const { return ((h + 1) * out + in - 1) / in - 1; }
};

}  // namespace minception::cpu
