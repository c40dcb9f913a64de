#pragma once
/// y[n,c] = (1 / (H*W)) * sum_{h,w} x[n,c,h,w];  dx[n,c,h,w] = dy[n,c] / (H*W): average pooling with one
/// window over the whole image.

#include "kernels/reference/window.h"

namespace minception::reference {

template <class T>
void global_avg_pool_forward(const GlobalAvgPoolForward& op) {
  average_forward<T>(op.x, op.y, {{0, op.x.h(), op.x.h()}}, {{0, op.x.w(), op.x.w()}});
}

template <class T>
void global_avg_pool_backward(const GlobalAvgPoolBackward& op) {
  const Tensor& dx = op.target.dx;
  average_backward<T>(op.dy, op.target, {{0, dx.h(), dx.h()}}, {{0, dx.w(), dx.w()}});
}

}  // namespace minception::reference
