/// Residual addition: y = a + scale*b, then ReLU if `relu`. Backward computes both input gradients in one pass over dy.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

namespace minception {
namespace cuda {

/// One thread per V channels of a pixel.
template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    add_forward(View<const T> a, View<const T> b, View<T> y, float scale, bool relu) {
  const Place at = thread_place<V>(a);
  if (!at.inside) return;
  FloatArray<V> sum = load<V>(a.pixel(at.pixel) + at.channel);
  const FloatArray<V> addend = load<V>(b.pixel(at.pixel) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) {
    sum[i] += scale * addend[i];
    if (relu && sum[i] < 0.0f) sum[i] = 0.0f;
  }
  store<V>(y.pixel(at.pixel) + at.channel, sum);
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    add_backward(View<const T> dy, Gradient<T> da, Gradient<T> db, float scale) {
  const Place at = thread_place<V>(dy);
  if (!at.inside) return;
  FloatArray<V> gradient = load<V>(dy.pixel(at.pixel) + at.channel);  // before the first store: da may be dy
  store<V>(da, at.pixel, at.channel, gradient);
#pragma unroll
  for (int i = 0; i < V; ++i) gradient[i] *= scale;
  store<V>(db, at.pixel, at.channel, gradient);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::add_forward(const AddForward& op, Workspace) {
  for_dtype(op.a, [&]<class T>() {
    const View<const T> a = const_view<T>(op.a);
    const View<const T> b = const_view<T>(op.b);
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::add_forward<T, V>>(elementwise_blocks<V>(a), kElementwiseBlock, 0, stream_, a, b, y,
                                          static_cast<float>(op.scale), op.relu);
        },
        a, b, y);
  });
}

void CudaBackend::add_backward(const AddBackward& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> da = gradient<T>(op.da);
    const Gradient<T> db = gradient<T>(op.db);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::add_backward<T, V>>(elementwise_blocks<V>(dy), kElementwiseBlock, 0, stream_, dy, da, db,
                                           static_cast<float>(op.scale));
        },
        dy, da, db);
  });
}

}  // namespace minception
