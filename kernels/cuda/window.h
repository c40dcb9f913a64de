#pragma once
/// Common code of the pools. A window is the product of an interval of rows and an interval of columns. An axis gives
/// the input range of window p, its factor of the divisor and, for the gradient, the windows that contain input i. The
/// average pools differ only in their axes.

#include "core/error.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/vector.h"
#include "kernels/operations.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace minception::cuda {

/// Pooling windows of fixed extent and stride.
struct PoolAxis {
  int in, out, kernel, stride, padding;
  bool counts_padding;

  __device__ int origin(int p) const { return p * stride - padding; }
  __device__ int begin(int p) const { return origin(p) < 0 ? 0 : origin(p); }
  __device__ int end(int p) const { return origin(p) + kernel < in ? origin(p) + kernel : in; }
  __device__ int divisor(int p) const {
    if (!counts_padding) return end(p) - begin(p);
    // In ceil mode the last window may extend beyond the padding; positions there are not counted.
    return origin(p) + kernel < in + padding ? kernel : in + padding - origin(p);
  }
  __device__ int first_holding(int i) const {
    const int beyond = i + padding - kernel;  // windows with p * stride <= beyond end at or before i
    return beyond < 0 ? 0 : beyond / stride + 1;
  }
  __device__ int last_holding(int i) const {
    const int last = (i + padding) / stride;
    return last < out ? last : out - 1;
  }
};

struct PoolAxes {
  PoolAxis rows, columns;
};

/// The axes of a pool from x to y, or of its gradient (dx and dy).
inline PoolAxes pool_axes(const Pool2dAttributes& attributes, const Tensor& x, const Tensor& y) {
  const auto axis = [&](std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                        std::int64_t padding) {
    constexpr std::int64_t kMost = std::numeric_limits<int>::max();
    require(kernel <= kMost && in + kernel + padding <= kMost, "the cuda backend addresses ", kMost,
            " pixels along an axis; a window of ", kernel, " over ", in, " pixels is too large");
    // A stride that exceeds an int leaves one window, and so does the largest int.
    return PoolAxis{static_cast<int>(in),      static_cast<int>(out),
                    static_cast<int>(kernel),  static_cast<int>(std::min(stride, kMost)),
                    static_cast<int>(padding), attributes.count_include_pad};
  };
  return {axis(x.h(), y.h(), attributes.kernel.h, attributes.stride.h, attributes.padding.h),
          axis(x.w(), y.w(), attributes.kernel.w, attributes.stride.w, attributes.padding.w)};
}

/// Adaptive pooling: `out` windows that cover `in` pixels evenly. Products are in 64 bits, as in * out may exceed an
/// int.
struct AdaptiveAxis {
  std::int64_t in, out;

  __device__ int begin(int p) const { return static_cast<int>(p * in / out); }
  __device__ int end(int p) const { return static_cast<int>(((p + 1) * in + out - 1) / out); }
  __device__ int divisor(int p) const { return end(p) - begin(p); }
  __device__ int first_holding(int i) const { return static_cast<int>(i * out / in); }
  __device__ int last_holding(int i) const { return static_cast<int>(((i + 1) * out + in - 1) / in) - 1; }
};

/// y[n,c,p,q] = sum over rows p x columns q of x, divided by the window's divisor. One thread per V channels of an
/// output pixel; overlapping windows share pixels through the cache.
template <int V, class T, class Axis>
__device__ __forceinline__ void average_forward(const View<const T>& x, const View<T>& y, const Axis& rows,
                                                const Axis& columns) {
  const Place at = thread_place<V>(y);
  if (!at.inside) return;
  const auto [n, p, q] = position(y, at.pixel);
  const int row_end = rows.end(p);
  const int column_begin = columns.begin(q);
  const int column_end = columns.end(q);
  FloatArray<V> sum = {};
  for (int h = rows.begin(p); h < row_end; ++h) {
    for (int w = column_begin; w < column_end; ++w) {
      const FloatArray<V> value = load<V>(x.pixel(n, h, w) + at.channel);
#pragma unroll
      for (int i = 0; i < V; ++i) sum[i] += value[i];
    }
  }
  const float factor = 1.0f / (static_cast<float>(rows.divisor(p)) * static_cast<float>(columns.divisor(q)));
#pragma unroll
  for (int i = 0; i < V; ++i) sum[i] *= factor;
  store<V>(y.pixel(at.pixel) + at.channel, sum);
}

/// dx[n,c,h,w] = sum of dy[n,c,p,q] / divisor(p,q) over the windows that contain (h, w). A gather, which needs no
/// atomics. One thread per V channels of an input pixel.
template <int V, class T, class Axis>
__device__ __forceinline__ void average_backward(const View<const T>& dy, const Gradient<T>& target, const Axis& rows,
                                                 const Axis& columns) {
  const Place at = thread_place<V>(target.dx);
  if (!at.inside) return;
  const auto [n, h, w] = position(target.dx, at.pixel);
  const int last_row = rows.last_holding(h);
  const int first_column = columns.first_holding(w);
  const int last_column = columns.last_holding(w);
  FloatArray<V> sum = {};
  for (int p = rows.first_holding(h); p <= last_row; ++p) {
    const auto row_divisor = static_cast<float>(rows.divisor(p));
    for (int q = first_column; q <= last_column; ++q) {
      const float factor = 1.0f / (row_divisor * static_cast<float>(columns.divisor(q)));
      const FloatArray<V> gradient = load<V>(dy.pixel(n, p, q) + at.channel);
#pragma unroll
      for (int i = 0; i < V; ++i) sum[i] += gradient[i] * factor;
    }
  }
  store<V>(target, at.pixel, at.channel, sum);
}

}  // namespace minception::cuda
