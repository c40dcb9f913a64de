/// Mean over all pixels: adaptive pooling to one pixel.

#include "kernels/cpu/window.h"

#include "kernels/cpu/backend.h"

namespace minception {

using namespace cpu;

void CpuBackend::global_avg_pool_forward(const GlobalAvgPoolForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    average(threads_, const_view<T>(op.x), view<T>(op.y), AdaptiveAxis{op.x.h(), 1}, AdaptiveAxis{op.x.w(), 1});
  });
}

void CpuBackend::global_avg_pool_backward(const GlobalAvgPoolBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const Tensor& dx = op.target.dx;
    average_gradient(threads_, const_view<T>(op.dy), GradientStore<T>(op.target), AdaptiveAxis{dx.h(), 1},
                     AdaptiveAxis{dx.w(), 1});
  });
}

}  // namespace minception
