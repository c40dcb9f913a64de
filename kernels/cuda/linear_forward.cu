/// Fully connected layer, forward:  y[n,o] = bias[o] + sum_i w[o,i] * x[n,i].
///
/// Samples are one-pixel images and w is a set of 1x1 filters: run as fused 1x1 convolutions with one member
/// (conv2d_fused_1x1_forward.cu).

#include "kernels/cuda/backend.h"

namespace minception {

void CudaBackend::linear_forward(const LinearForward& op, Workspace workspace) {
  Conv2dFused1x1Forward group;
  group.x = op.x;
  group.w = op.w.reshaped({op.w.shape[0], op.w.shape[1], 1, 1});
  group.bias = op.bias;
  group.y = {op.y};
  conv2d_fused_1x1_forward(group, workspace);
}

}  // namespace minception
