#pragma once
/// y[n,c,p,q] = (sum over the window) / divisor. The divisor is the window's extent, either within the padded
/// input or within the input.

#include "kernels/reference/window.h"

#include <algorithm>

namespace minception::reference {

/// The windows of a pool along one axis.
inline Windows pool_windows(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                            std::int64_t padding, bool count_include_pad) {
  Windows windows;
  for (std::int64_t p = 0; p < out; ++p) {
    const std::int64_t begin = p * stride - padding;
    // In ceil mode the last window may extend beyond the padding; positions there are not counted.
    const std::int64_t end = std::min(begin + kernel, in + padding);
    const std::int64_t first_pixel = std::max<std::int64_t>(begin, 0);
    const std::int64_t last_pixel = std::min(end, in);
    windows.push_back({first_pixel, last_pixel, count_include_pad ? end - begin : last_pixel - first_pixel});
  }
  return windows;
}

inline Windows pool_rows(const Pool2dAttributes& a, const Tensor& x, const Tensor& y) {
  return pool_windows(x.h(), y.h(), a.kernel.h, a.stride.h, a.padding.h, a.count_include_pad);
}
inline Windows pool_columns(const Pool2dAttributes& a, const Tensor& x, const Tensor& y) {
  return pool_windows(x.w(), y.w(), a.kernel.w, a.stride.w, a.padding.w, a.count_include_pad);
}

template <class T>
void avg_pool2d_forward(const AvgPool2dForward& op) {
  average_forward<T>(op.x, op.y, pool_rows(op.attributes, op.x, op.y), pool_columns(op.attributes, op.x, op.y));
}

template <class T>
void avg_pool2d_backward(const AvgPool2dBackward& op) {
  const Tensor& dx = op.target.dx;
  average_backward<T>(op.dy, op.target, pool_rows(op.attributes, dx, op.dy), pool_columns(op.attributes, dx, op.dy));
}

}  // namespace minception::reference
