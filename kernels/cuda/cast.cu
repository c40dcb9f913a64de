/// Cast between f32 and bf16 by way of float, which represents both exactly.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

#include <type_traits>

namespace minception {
namespace cuda {

/// One thread per V channels of a pixel; V elements of the wider type are 16 bytes.
template <class From, class To, int V>
__global__ void __launch_bounds__(kElementwiseBlock) cast(View<const From> x, View<To> y) {
  const auto [pixel, channel, inside] = thread_place<V>(x);
  if (!inside) return;
  store<V>(y.pixel(pixel) + channel, load<V>(x.pixel(pixel) + channel));
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::cast(const Cast& op, Workspace) {
  for_dtype(op.x, [&]<class From>() {
    for_dtype(op.y, [&]<class To>() {
      using Wider = std::conditional_t<(sizeof(From) > sizeof(To)), From, To>;
      const View<const From> x = const_view<From>(op.x);
      const View<To> y = view<To>(op.y);
      for_width<Wider>(
          [&]<int V>() {
            launch<cuda::cast<From, To, V>>(elementwise_blocks<V>(x), kElementwiseBlock, 0, stream_, x, y);
          },
          x, y);
    });
  });
}

}  // namespace minception
