/// Average pooling to a given output size.

#include "kernels/cpu/window.h"

#include "kernels/cpu/backend.h"

namespace minception {

using namespace cpu;

void CpuBackend::adaptive_avg_pool2d_forward(const AdaptiveAvgPool2dForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    average(threads_, const_view<T>(op.x), view<T>(op.y), AdaptiveAxis{op.x.h(), op.y.h()},
            AdaptiveAxis{op.x.w(), op.y.w()});
  });
}

void CpuBackend::adaptive_avg_pool2d_backward(const AdaptiveAvgPool2dBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const Tensor& dx = op.target.dx;
    average_gradient(threads_, const_view<T>(op.dy), GradientStore<T>(op.target), AdaptiveAxis{dx.h(), op.dy.h()},
                     AdaptiveAxis{dx.w(), op.dy.w()});
  });
}

}  // namespace minception
