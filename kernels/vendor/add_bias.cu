/// Applied to library results: y = value + bias, then ReLU if `relu`, in place or into a channel slice.

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"
#include "kernels/vendor/backend.h"

namespace minception {
namespace cuda {

/// One thread per V channels of a pixel. bias: f32 or T, or nullptr.
template <class T, class B, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    add_bias(View<const T> value, const B* bias, View<T> y, bool relu) {
  const Place at = thread_place<V>(y);
  if (!at.inside) return;
  FloatArray<V> sum = load<V>(value.pixel(at.pixel) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) {
    if (bias != nullptr) sum[i] += static_cast<float>(bias[at.channel + i]);
    if (relu && sum[i] < 0.0f) sum[i] = 0.0f;
  }
  store<V>(y.pixel(at.pixel) + at.channel, sum);
}

}  // namespace cuda

using namespace cuda;

void VendorBackend::add_bias(const Tensor& value, const Tensor& bias, bool relu, const Tensor& y) {
  for_dtype(y, [&]<class T>() {
    const View<const T> from = const_view<T>(value);
    const View<T> to = view<T>(y);
    const auto run = [&]<class B>() {
      for_width<T>(
          [&]<int V>() {
            launch<cuda::add_bias<T, B, V>>(elementwise_blocks<V>(to), kElementwiseBlock, 0, stream(), from,
                                            values<const B>(bias), to, relu);
          },
          from, to);
    };
    if (bias.defined() && bias.dtype == DType::bf16) {
      run.template operator()<bf16>();
    } else {
      run.template operator()<float>();
    }
  });
}

}  // namespace minception
