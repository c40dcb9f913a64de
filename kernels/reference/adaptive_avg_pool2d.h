#pragma once
/// y[n,c,p,q] = mean over rows floor(p*H/P) .. ceil((p+1)*H/P) - 1 and columns floor(q*W/Q) .. ceil((q+1)*W/Q) - 1.
/// Adjacent windows overlap if P does not divide H; with P > H they repeat pixels.

#include "kernels/reference/window.h"

namespace minception::reference {

inline Windows adaptive_windows(std::int64_t in, std::int64_t out) {
  Windows windows;
  for (std::int64_t p = 0; p < out; ++p) {
    const std::int64_t begin = p * in / out;
    const std::int64_t end = ((p + 1) * in + out - 1) / out;
    windows.push_back({begin, end, end - begin});
  }
  return windows;
}

template <class T>
void adaptive_avg_pool2d_forward(const AdaptiveAvgPool2dForward& op) {
  average_forward<T>(op.x, op.y, adaptive_windows(op.x.h(), op.y.h()), adaptive_windows(op.x.w(), op.y.w()));
}

template <class T>
void adaptive_avg_pool2d_backward(const AdaptiveAvgPool2dBackward& op) {
  const Tensor& dx = op.target.dx;
  average_backward<T>(op.dy, op.target, adaptive_windows(dx.h(), op.dy.h()), adaptive_windows(dx.w(), op.dy.w()));
}

}  // namespace minception::reference
