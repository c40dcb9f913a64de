#pragma once
/// y[n,o] = bias[o] + sum_i w[o,i] * x[n,i], computed as a 1x1 convolution of one-pixel images.

#include "kernels/reference/conv2d_fused_1x1.h"

namespace minception::reference {

/// Weights (O, I) as those of a 1x1 convolution, (O, I, 1, 1).
inline Tensor as_filters(const Tensor& w) { return w.reshaped({w.shape[0], w.shape[1], 1, 1}); }

template <class T>
void linear_forward(const LinearForward& op) {
  Conv2dFused1x1Forward group;
  group.x = op.x;
  group.w = as_filters(op.w);
  group.bias = op.bias;
  group.y = {op.y};
  conv2d_fused_1x1_forward<T>(group);
}

template <class T>
void linear_backward_data(const LinearBackwardData& op) {
  Conv2dFused1x1BackwardData group;
  group.dy = {op.dy};
  group.w = as_filters(op.w);
  group.target = op.target;
  conv2d_fused_1x1_backward_data<T>(group);
}

template <class T>
void linear_backward_weights(const LinearBackwardWeights& op) {
  Conv2dFused1x1BackwardWeights group;
  group.x = op.x;
  group.dy = {op.dy};
  group.dw = as_filters(op.dw);
  group.dbias = op.dbias;
  group.accumulate = op.accumulate;
  conv2d_fused_1x1_backward_weights<T>(group);
}

}  // namespace minception::reference
