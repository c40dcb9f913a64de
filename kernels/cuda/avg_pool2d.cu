/// Average pooling: the kernels of window.h with PoolAxis.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/window.h"

namespace minception {
namespace cuda {

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) avg_pool2d_forward(View<const T> x, View<T> y, PoolAxes axes) {
  average_forward<V>(x, y, axes.rows, axes.columns);
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    avg_pool2d_backward(View<const T> dy, Gradient<T> target, PoolAxes axes) {
  average_backward<V>(dy, target, axes.rows, axes.columns);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::avg_pool2d_forward(const AvgPool2dForward& op, Workspace) {
  const PoolAxes axes = pool_axes(op.attributes, op.x, op.y);
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::avg_pool2d_forward<T, V>>(elementwise_blocks<V>(y), kElementwiseBlock, 0, stream_, x, y, axes);
        },
        x, y);
  });
}

void CudaBackend::avg_pool2d_backward(const AvgPool2dBackward& op, Workspace) {
  const PoolAxes axes = pool_axes(op.attributes, op.target.dx, op.dy);
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::avg_pool2d_backward<T, V>>(elementwise_blocks<V>(target.dx), kElementwiseBlock, 0, stream_, dy,
                                                  target, axes);
        },
        dy, target);
  });
}

}  // namespace minception
