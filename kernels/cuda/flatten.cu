/// Flatten to (C, H, W) order: in channels-last memory a transpose of pixels x channels per image. Tiles of 32 x 32
/// pass through shared memory, so that a warp both reads and writes 32 contiguous elements.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/view.h"

namespace minception {
namespace cuda {
namespace {

constexpr int kTile = 32;
constexpr int kRows = 8;

__host__ __device__ int tiles_along(int extent) { return (extent + kTile - 1) / kTile; }

/// The tile of this block. The grid is one-dimensional, because only the limit of x suffices for all tensors.
struct FlattenTile {
  int n, first_pixel, first_channel;

  __device__ FlattenTile(int area, int channels) {
    const int across = tiles_along(channels);
    const int down = tiles_along(area);
    const int tile = blockIdx.x;
    n = tile / (across * down);
    first_pixel = tile / across % down * kTile;
    first_channel = tile % across * kTile;
  }
};

/// Number of tiles in all images of a view.
template <class T>
unsigned flatten_blocks(const View<T>& image) {
  return static_cast<unsigned>(image.n) * tiles_along(image.h * image.w) * tiles_along(image.c);
}

}  // namespace

/// Block: (kTile, kRows). Rows of kTile + 1 floats let a warp read a column without bank conflicts.
template <class T>
__global__ void __launch_bounds__(kTile* kRows) flatten_forward(View<const T> x, View<T> y) {
  SHARED(float, tile, [kTile][kTile + 1]);  // [pixel][channel]
  const int area = x.h * x.w;
  const FlattenTile at(area, x.c);
  for (int i = threadIdx.y; i < kTile; i += kRows) {
    const int pixel = at.first_pixel + i;
    const int channel = at.first_channel + threadIdx.x;
    if (pixel < area && channel < x.c) {
      tile[i][threadIdx.x] = static_cast<float>(x.pixel(at.n * area + pixel)[channel]);
    }
  }
  __syncthreads();
  for (int i = threadIdx.y; i < kTile; i += kRows) {
    const int pixel = at.first_pixel + threadIdx.x;
    const int channel = at.first_channel + i;
    if (pixel < area && channel < x.c) y.pixel(at.n)[channel * area + pixel] = static_cast<T>(tile[threadIdx.x][i]);
  }
}

template <class T>
__global__ void __launch_bounds__(kTile* kRows) flatten_backward(View<const T> dy, Gradient<T> target) {
  SHARED(float, tile, [kTile][kTile + 1]);  // [channel][pixel]
  const int area = target.dx.h * target.dx.w;
  const int channels = target.dx.c;
  const FlattenTile at(area, channels);
  for (int i = threadIdx.y; i < kTile; i += kRows) {
    const int pixel = at.first_pixel + threadIdx.x;
    const int channel = at.first_channel + i;
    if (pixel < area && channel < channels) {
      tile[i][threadIdx.x] = static_cast<float>(dy.pixel(at.n)[channel * area + pixel]);
    }
  }
  __syncthreads();
  for (int i = threadIdx.y; i < kTile; i += kRows) {
    const int pixel = at.first_pixel + i;
    const int channel = at.first_channel + threadIdx.x;
    if (pixel < area && channel < channels) target.store(at.n * area + pixel, channel, tile[threadIdx.x][i]);
  }
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::flatten_forward(const FlattenForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    launch<cuda::flatten_forward<T>>(flatten_blocks(x), dim3(kTile, kRows), 0, stream_, x, view<T>(op.y));
  });
}

void CudaBackend::flatten_backward(const FlattenBackward& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    const Gradient<T> target = gradient<T>(op.target);
    launch<cuda::flatten_backward<T>>(flatten_blocks(target.dx), dim3(kTile, kRows), 0, stream_, const_view<T>(op.dy),
                                      target);
  });
}

}  // namespace minception
