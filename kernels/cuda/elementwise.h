#pragma once
/// Mapping of threads to elements for elementwise kernels: one thread per V neighbouring channels of a pixel, channels
/// fastest, so that a warp reads and writes one contiguous range.

#include "kernels/cuda/view.h"

namespace minception::cuda {

inline constexpr int kElementwiseBlock = 256;

/// Position of a thread's elements. Threads of the last block may lie outside: `inside` is then false.
struct Place {
  int pixel, channel;
  bool inside;
};

/// Place of this thread in `pixels` pixels of `channels` channels. Unsigned, as the index of a thread outside may
/// exceed the largest int.
template <int V>
__device__ __forceinline__ Place thread_place(int pixels, int channels) {
  const unsigned index = blockIdx.x * kElementwiseBlock + threadIdx.x;
  const unsigned vectors = static_cast<unsigned>(channels) / V;
  const unsigned pixel = index / vectors;
  return {static_cast<int>(pixel), static_cast<int>((index - pixel * vectors) * V),
          pixel < static_cast<unsigned>(pixels)};
}
template <int V, class T>
__device__ __forceinline__ Place thread_place(const View<T>& view) {
  return thread_place<V>(view.pixels(), view.c);
}

/// Number of blocks for one thread per V channels.
template <int V, class T>
unsigned elementwise_blocks(const View<T>& view) {
  return ceil_div(view.elements() / V, kElementwiseBlock);
}

/// Decodes a pixel number of the view.
template <class T>
__device__ __forceinline__ PixelPosition position(const View<T>& view, int pixel) {
  const auto index = static_cast<unsigned>(pixel);
  const unsigned line = index / static_cast<unsigned>(view.w);
  const unsigned image = line / static_cast<unsigned>(view.h);
  return {static_cast<int>(image), static_cast<int>(line - image * static_cast<unsigned>(view.h)),
          static_cast<int>(index - line * static_cast<unsigned>(view.w))};
}

}  // namespace minception::cuda
