/// The mean over all pixels: adaptive pooling to one.

#include <minception/kernels/cpu/window.h>

#include <minception/kernels/cpu/backend.h>

namespace minception {

using namespace cpu;

void CpuBackend::global_avg_pool_forward(const GlobalAvgPoolForward& op, Workspace) {
  average(threads_, const_view(op.x), view(op.y), AdaptiveAxis{op.x.h(), 1}, AdaptiveAxis{op.x.w(), 1});
}

void CpuBackend::global_avg_pool_backward(const GlobalAvgPoolBackward& op, Workspace) {
  const Tensor& dx = op.target.dx;
  average_gradient(threads_, const_view(op.dy), GradientStore(op.target), AdaptiveAxis{dx.h(), 1},
                   AdaptiveAxis{dx.w(), 1});
}

}  // namespace minception
