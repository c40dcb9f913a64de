/// Dropout. The backward pass draws the mask again. Elements are numbered in memory order over the epoch, so that four
/// neighbours share one Philox block.

#include "core/random.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

#include <cmath>

namespace minception {
namespace cuda {
namespace {

struct DropoutMask {
  std::uint64_t seed;
  std::uint64_t stream;          ///< the upper 32 bits; the epoch is the lower half
  const std::int64_t* position;  ///< {epoch, position of the first sample}, on the device
  std::uint64_t sample_elements;
  std::uint32_t threshold;  ///< an element is kept if its 24 random bits are at least this
  float scale;

  /// factors[i] = mask / (1 - p) of element first + i of the batch.
  template <int V>
  __device__ FloatArray<V> factors(int first) const {
    const Random random{seed, stream | static_cast<std::uint64_t>(position[0])};
    const std::uint64_t index =
        static_cast<std::uint64_t>(position[1]) * sample_elements + static_cast<std::uint64_t>(first);
    FloatArray<V> result;
    if constexpr (V == 1) {
      result[0] = factor(random.bits(index));
    } else {
      static_assert(V % 4 == 0);  // C is a multiple of V, so index is a multiple of 4
#pragma unroll
      for (int i = 0; i < V; i += 4) {
        const PhiloxBlock block = random.four(index / 4 + i / 4);
#pragma unroll
        for (int j = 0; j < 4; ++j) result[i + j] = factor(block.word[j]);
      }
    }
    return result;
  }

 private:
  __device__ float factor(std::uint32_t bits) const { return bits >> 8 >= threshold ? scale : 0.0f; }
};

DropoutMask dropout_mask(const DropoutAttributes& attributes, const Tensor& position, const Tensor& x) {
  // uniform = bits * 2^-24 >= p is bits >= ceil(p * 2^24) for 24 integer bits. p * 2^24 is exact in double.
  return {attributes.seed,
          std::uint64_t{attributes.stream} << 32,
          values<const std::int64_t>(position),
          static_cast<std::uint64_t>(x.c() * x.h() * x.w()),
          static_cast<std::uint32_t>(std::ceil(attributes.p * 0x1p24)),
          static_cast<float>(1.0 / (1.0 - attributes.p))};
}

template <int V>
__device__ FloatArray<V> dropped_out(FloatArray<V> values, const FloatArray<V>& factors) {
#pragma unroll
  for (int i = 0; i < V; ++i) values[i] *= factors[i];
  return values;
}

}  // namespace

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) dropout_forward(View<const T> x, View<T> y, DropoutMask mask) {
  const auto [pixel, channel, inside] = thread_place<V>(x);
  if (!inside) return;
  store<V>(y.pixel(pixel) + channel,
           dropped_out(load<V>(x.pixel(pixel) + channel), mask.factors<V>(pixel * x.c + channel)));
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    dropout_backward(View<const T> dy, Gradient<T> target, DropoutMask mask) {
  const auto [pixel, channel, inside] = thread_place<V>(dy);
  if (!inside) return;
  store<V>(target, pixel, channel,
           dropped_out(load<V>(dy.pixel(pixel) + channel), mask.factors<V>(pixel * dy.c + channel)));
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::dropout_forward(const DropoutForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const DropoutMask mask = dropout_mask(op.attributes, op.position, op.x);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::dropout_forward<T, V>>(elementwise_blocks<V>(x), kElementwiseBlock, 0, stream_, x, y, mask);
        },
        x, y);
  });
}

void CudaBackend::dropout_backward(const DropoutBackward& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    const DropoutMask mask = dropout_mask(op.attributes, op.position, op.dy);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::dropout_backward<T, V>>(elementwise_blocks<V>(dy), kElementwiseBlock, 0, stream_, dy, target,
                                               mask);
        },
        dy, target);
  });
}

}  // namespace minception
