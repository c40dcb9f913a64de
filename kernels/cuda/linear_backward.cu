/// The backward passes of a fully connected layer: those of a 1x1 convolution of one-pixel images, and carried out as a
/// group of one (conv2d_1x1_group_backward.cu).

#include <minception/kernels/cuda/backend.h>

namespace minception {

namespace {

/// (O, I) as the weights of a 1x1 convolution.
Tensor as_filters(const Tensor& w) { return w.reshaped({w.shape[0], w.shape[1], 1, 1}); }

Conv2d1x1GroupBackwardWeights as_group(const LinearBackwardWeights& op) {
  Conv2d1x1GroupBackwardWeights group;
  group.x = op.x;
  group.dy = {op.dy};
  group.dw = as_filters(op.dw);
  group.dbias = op.dbias;
  group.accumulate = op.accumulate;
  return group;
}

}  // namespace

void CudaBackend::linear_backward_data(const LinearBackwardData& op, Workspace workspace) {
  Conv2d1x1GroupBackwardData group;
  group.dy = {op.dy};
  group.w = as_filters(op.w);
  group.target = op.target;
  conv2d_1x1_group_backward_data(group, workspace);
}

Requirements CudaBackend::needs(const LinearBackwardWeights& op) { return needs(as_group(op)); }

void CudaBackend::linear_backward_weights(const LinearBackwardWeights& op, Workspace workspace) {
  conv2d_1x1_group_backward_weights(as_group(op), workspace);
}

}  // namespace minception
