/// Adaptive average pooling: the kernels of window.h with AdaptiveAxis.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/window.h"

namespace minception {
namespace cuda {

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) adaptive_avg_pool2d_forward(View<const T> x, View<T> y) {
  average_forward<V>(x, y, AdaptiveAxis{x.h, y.h}, AdaptiveAxis{x.w, y.w});
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    adaptive_avg_pool2d_backward(View<const T> dy, Gradient<T> target) {
  average_backward<V>(dy, target, AdaptiveAxis{target.dx.h, dy.h}, AdaptiveAxis{target.dx.w, dy.w});
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::adaptive_avg_pool2d_forward(const AdaptiveAvgPool2dForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::adaptive_avg_pool2d_forward<T, V>>(elementwise_blocks<V>(y), kElementwiseBlock, 0, stream_, x,
                                                          y);
        },
        x, y);
  });
}

void CudaBackend::adaptive_avg_pool2d_backward(const AdaptiveAvgPool2dBackward& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::adaptive_avg_pool2d_backward<T, V>>(elementwise_blocks<V>(target.dx), kElementwiseBlock, 0,
                                                           stream_, dy, target);
        },
        dy, target);
  });
}

}  // namespace minception
