/// GELU: y = x * Phi(x), with Phi the standard normal distribution function.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

namespace minception {
namespace cuda {

namespace {

/// Phi(x). erfc keeps the relative accuracy that 1 + erf loses for negative x.
__device__ __forceinline__ float normal_distribution(float x) { return 0.5f * erfcf(-x * 0.707106781f); }

__device__ __forceinline__ float gelu_slope(float x) {
  return normal_distribution(x) + x * 0.398942280f * expf(-0.5f * x * x);
}

}  // namespace

/// One thread per V channels of a pixel.
template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) gelu_forward(View<const T> x, View<T> y) {
  const Place at = thread_place<V>(x);
  if (!at.inside) return;
  FloatArray<V> value = load<V>(x.pixel(at.pixel) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) value[i] *= normal_distribution(value[i]);
  store<V>(y.pixel(at.pixel) + at.channel, value);
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    gelu_backward(View<const T> x, View<const T> dy, Gradient<T> target) {
  const Place at = thread_place<V>(x);
  if (!at.inside) return;
  const FloatArray<V> value = load<V>(x.pixel(at.pixel) + at.channel);
  FloatArray<V> gradient = load<V>(dy.pixel(at.pixel) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) gradient[i] *= gelu_slope(value[i]);
  store<V>(target, at.pixel, at.channel, gradient);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::gelu_forward(const GeluForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::gelu_forward<T, V>>(elementwise_blocks<V>(x), kElementwiseBlock, 0, stream_, x, y);
        },
        x, y);
  });
}

void CudaBackend::gelu_backward(const GeluBackward& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::gelu_backward<T, V>>(elementwise_blocks<V>(dy), kElementwiseBlock, 0, stream_, x, dy, target);
        },
        x, dy, target);
  });
}

}  // namespace minception
