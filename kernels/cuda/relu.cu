/// ReLU. Written as `x < 0 ? 0 : x`, which propagates NaN (fmaxf does not).

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

namespace minception {
namespace cuda {

/// One thread per V channels of a pixel.
template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) relu_forward(View<const T> x, View<T> y) {
  const Place at = thread_place<V>(x);
  if (!at.inside) return;
  FloatArray<V> value = load<V>(x.pixel(at.pixel) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) value[i] = value[i] < 0.0f ? 0.0f : value[i];
  store<V>(y.pixel(at.pixel) + at.channel, value);
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    relu_backward(View<const T> y, View<const T> dy, Gradient<T> target) {
  const Place at = thread_place<V>(y);
  if (!at.inside) return;
  const FloatArray<V> output = load<V>(y.pixel(at.pixel) + at.channel);
  FloatArray<V> gradient = load<V>(dy.pixel(at.pixel) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) gradient[i] = output[i] > 0.0f ? gradient[i] : 0.0f;
  store<V>(target, at.pixel, at.channel, gradient);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::relu_forward(const ReluForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::relu_forward<T, V>>(elementwise_blocks<V>(x), kElementwiseBlock, 0, stream_, x, y);
        },
        x, y);
  });
}

void CudaBackend::relu_backward(const ReluBackward& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> y = const_view<T>(op.y);
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::relu_backward<T, V>>(elementwise_blocks<V>(dy), kElementwiseBlock, 0, stream_, y, dy, target);
        },
        y, dy, target);
  });
}

}  // namespace minception
