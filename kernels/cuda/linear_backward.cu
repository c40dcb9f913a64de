/// Backward passes of a fully connected layer: a 1x1 convolution of one-pixel images, run as fused 1x1 convolutions
/// with one member (conv2d_fused_1x1_backward.cu).

#include "kernels/cuda/backend.h"

namespace minception {

namespace {

/// w (O, I) as the weights of a 1x1 convolution, (O, I, 1, 1).
Tensor as_filters(const Tensor& w) { return w.reshaped({w.shape[0], w.shape[1], 1, 1}); }

Conv2dFused1x1BackwardWeights as_group(const LinearBackwardWeights& op) {
  Conv2dFused1x1BackwardWeights group;
  group.x = op.x;
  group.dy = {op.dy};
  group.dw = as_filters(op.dw);
  group.dbias = op.dbias;
  group.accumulate = op.accumulate;
  return group;
}

}  // namespace

void CudaBackend::linear_backward_data(const LinearBackwardData& op, Workspace workspace) {
  Conv2dFused1x1BackwardData group;
  group.dy = {op.dy};
  group.w = as_filters(op.w);
  group.target = op.target;
  conv2d_fused_1x1_backward_data(group, workspace);
}

Requirements CudaBackend::needs(const LinearBackwardWeights& op) { return needs(as_group(op)); }

void CudaBackend::linear_backward_weights(const LinearBackwardWeights& op, Workspace workspace) {
  conv2d_fused_1x1_backward_weights(as_group(op), workspace);
}

}  // namespace minception
