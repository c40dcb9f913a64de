/// Backward pass of batch normalisation with constant statistics: dx = dy * gamma / sqrt(running_var + epsilon).

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

namespace minception {
namespace cuda {

/// One thread per V channels of a pixel.
template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    batch_norm_backward_inference(View<const T> dy, Gradient<T> target, const float* gamma, const float* running_var,
                                  float epsilon) {
  const Place at = thread_place<V>(dy);
  if (!at.inside) return;
  FloatArray<V> gradient = load<V>(dy.pixel(at.pixel) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) {
    const int channel = at.channel + i;
    gradient[i] *= gamma[channel] / sqrtf(running_var[channel] + epsilon);
  }
  store<V>(target, at.pixel, at.channel, gradient);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::batch_norm_backward_inference(const BatchNormBackwardInference& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::batch_norm_backward_inference<T, V>>(
              elementwise_blocks<V>(dy), kElementwiseBlock, 0, stream_, dy, target, values<const float>(op.gamma),
              values<const float>(op.running_var), static_cast<float>(op.attributes.epsilon));
        },
        dy, target);
  });
}

}  // namespace minception
