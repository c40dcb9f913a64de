/// Fill: y = value.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

namespace minception {
namespace cuda {

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) fill(float value, View<T> y) {
  const Place place = thread_place<V>(y);
  if (!place.inside) return;
  FloatArray<V> values;
#pragma unroll
  for (int i = 0; i < V; ++i) values[i] = value;
  store<V>(y.pixel(place.pixel) + place.channel, values);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::fill(const Fill& op, Workspace) {
  for_dtype(op.y, [&]<class T>() {
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::fill<T, V>>(elementwise_blocks<V>(y), kElementwiseBlock, 0, stream_,
                                   static_cast<float>(op.value), y);
        },
        y);
  });
}

}  // namespace minception
