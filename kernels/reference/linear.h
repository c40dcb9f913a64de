#pragma once
/// y[n,o] = bias[o] + sum_i w[o,i] * x[n,i]: a 1x1 convolution of one-pixel images, and carried out as one.

#include <minception/kernels/reference/conv2d_1x1_group.h>

namespace minception::reference {

/// (O, I) as the weights of a 1x1 convolution.
inline Tensor as_filters(const Tensor& w) { return w.reshaped({w.shape[0], w.shape[1], 1, 1}); }

template <class T>
void linear_forward(const LinearForward& op) {
  Conv2d1x1GroupForward group;
  group.x = op.x;
  group.w = as_filters(op.w);
  group.bias = op.bias;
  group.y = {op.y};
  conv2d_1x1_group_forward<T>(group);
}

template <class T>
void linear_backward_data(const LinearBackwardData& op) {
  Conv2d1x1GroupBackwardData group;
  group.dy = {op.dy};
  group.w = as_filters(op.w);
  group.target = op.target;
  conv2d_1x1_group_backward_data<T>(group);
}

template <class T>
void linear_backward_weights(const LinearBackwardWeights& op) {
  Conv2d1x1GroupBackwardWeights group;
  group.x = op.x;
  group.dy = {op.dy};
  group.dw = as_filters(op.dw);
  group.dbias = op.dbias;
  group.accumulate = op.accumulate;
  conv2d_1x1_group_backward_weights<T>(group);
}

}  // namespace minception::reference
