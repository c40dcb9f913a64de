/// Fully connected layer, forward:  y[n,o] = bias[o] + sum_i w[o,i] * x[n,i].
///
/// Samples are images of one pixel and w is a set of 1x1 filters, so the product is the one of
/// conv2d_1x1_group_forward.cu with one member.

#include <minception/kernels/cuda/backend.h>

namespace minception {

void CudaBackend::linear_forward(const LinearForward& op, Workspace workspace) {
  Conv2d1x1GroupForward group;
  group.x = op.x;
  group.w = op.w.reshaped({op.w.shape[0], op.w.shape[1], 1, 1});
  group.bias = op.bias;
  group.y = {op.y};
  conv2d_1x1_group_forward(group, workspace);
}

}  // namespace minception
