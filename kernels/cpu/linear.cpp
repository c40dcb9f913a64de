/// Fully connected layers: 1x1 convolutions of one-pixel images.

#include "kernels/cpu/backend.h"

namespace minception {

void CpuBackend::linear_forward(const LinearForward& op, Workspace workspace) {
  pointwise_forward({op.x, op.w, op.bias, false, &op.y, 1}, op.prepacked, op.refresh_prepacked,
                    cpu::Scratch(workspace));
}

void CpuBackend::linear_backward_data(const LinearBackwardData& op, Workspace workspace) {
  pointwise_backward_data(&op.dy, 1, op.w, op.target, cpu::Scratch(workspace));
}

void CpuBackend::linear_backward_weights(const LinearBackwardWeights& op, Workspace workspace) {
  pointwise_backward_weights(op.x, &op.dy, 1, op.dw, op.dbias, op.accumulate, cpu::Scratch(workspace));
}

Requirements CpuBackend::needs(const LinearForward& op) {
  return pointwise_needs({op.x, op.w, op.bias, false, &op.y, 1}, op.prepacked);
}

Requirements CpuBackend::needs(const LinearBackwardData& op) {
  return pointwise_backward_data_needs(op.w, op.target.dx);
}

Requirements CpuBackend::needs(const LinearBackwardWeights& op) {
  return pointwise_backward_weights_needs(&op.dy, 1, op.dbias);
}

}  // namespace minception
