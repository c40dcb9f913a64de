/// Global average pooling. In the forward pass a block handles 32 vectors of neighbouring channels of one image. The
/// rows of its threads share the pixels, and each row reads contiguous memory. Their sums are added in shared memory in
/// a fixed order.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

namespace minception {
namespace cuda {
namespace {

constexpr int kColumns = 32;
constexpr int kRows = 8;

/// Blocks per image.
__host__ __device__ int channel_tiles(int channels, int v) { return (channels / v + kColumns - 1) / kColumns; }

}  // namespace

/// Grid: images x channel tiles. Block: (kColumns, kRows).
template <class T, int V>
__global__ void __launch_bounds__(kColumns* kRows) global_avg_pool_forward(View<const T> x, View<T> y) {
  constexpr int kChannels = kColumns * V;
  using Vector = AlignedArray<float, V>;  // stored whole
  SHARED(Vector, partial, [kRows][kColumns]);
  const int column = threadIdx.x;
  const int row = threadIdx.y;
  const int tiles = channel_tiles(x.c, V);
  const int n = blockIdx.x / tiles;
  const int first_channel = blockIdx.x % tiles * kChannels;
  const int area = x.h * x.w;

  FloatArray<V> sum = {};
  if (first_channel + column * V < x.c) {
    for (int pixel = row; pixel < area; pixel += kRows) {
      const FloatArray<V> value = load<V>(x.pixel(n * area + pixel) + first_channel + column * V);
#pragma unroll
      for (int i = 0; i < V; ++i) sum[i] += value[i];
    }
  }
  store<V>(partial[row][column].element, sum);
  __syncthreads();

  // One thread per channel adds up the rows.
  const int channel = row * kColumns + column;
  if (channel >= kChannels || first_channel + channel >= x.c) return;
  float total = 0.0f;
#pragma unroll
  for (int r = 0; r < kRows; ++r) total += partial[r][channel / V].element[channel % V];
  y.pixel(n)[first_channel + channel] = static_cast<T>(total / static_cast<float>(area));
}

/// One thread per V channels of an input pixel.
template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) global_avg_pool_backward(View<const T> dy, Gradient<T> target) {
  const Place at = thread_place<V>(target.dx);
  if (!at.inside) return;
  const int area = target.dx.h * target.dx.w;
  const float factor = 1.0f / static_cast<float>(area);
  FloatArray<V> gradient = load<V>(dy.pixel(at.pixel / area) + at.channel);
#pragma unroll
  for (int i = 0; i < V; ++i) gradient[i] *= factor;
  store<V>(target, at.pixel, at.channel, gradient);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::global_avg_pool_forward(const GlobalAvgPoolForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::global_avg_pool_forward<T, V>>(x.n * channel_tiles(x.c, V), dim3(kColumns, kRows), 0, stream_, x,
                                                      y);
        },
        x);
  });
}

void CudaBackend::global_avg_pool_backward(const GlobalAvgPoolBackward& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::global_avg_pool_backward<T, V>>(elementwise_blocks<V>(target.dx), kElementwiseBlock, 0, stream_,
                                                       dy, target);
        },
        dy, target);
  });
}

}  // namespace minception
