/// Fused 1x1 convolutions that share an input, single 1x1 convolutions and fully connected layers. In channels-last
/// memory all of them are matrix products  (pixels, I) x (I, O), and a channel slice is a matrix with a longer row
/// stride. Every member reads its rows of w in place and writes its slice of y directly. One product per member is as
/// fast as one for all (measured on GoogLeNet).
///
/// f32 needs no workspace. In bf16 a product is summed in f32, one block of pixels at a time, and then rounded into its
/// slice. On GoogLeNet's shapes such products run at 360 to 440 GFLOP/s on 2 cores (AMD EPYC 9004), oneDNN's 1x1
/// primitives at 400 to 470 in forward and at 250 to 390 for weight gradients. Primitives need dense images, and
/// copying slices costs more than they save.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/view.h"

#include <algorithm>

namespace minception {
namespace {

using namespace cpu;

// Pixels per block. A thread computes all members of a block, with bias, ReLU or mask, while it is cached. Blocks are
// large enough to amortise packing w for each of them and small enough for the second-level cache.
constexpr std::int64_t kLargestBlock = 256;
constexpr std::int64_t kSmallestBlock = 64;

/// Whether there are too few pixels to split over threads. The matrix products then use the threads themselves.
bool is_one_block(int threads, std::int64_t pixels) { return pixels < threads * kSmallestBlock; }

/// Calls f(first pixel, count, thread) for blocks in parallel, or once for all pixels if is_one_block().
template <class F>
void for_each_block(int threads, std::int64_t pixels, F&& f) {
  if (is_one_block(threads, pixels)) return f(std::int64_t{0}, pixels, 0);
  const std::int64_t rounds = (pixels + threads * kLargestBlock - 1) / (threads * kLargestBlock);
  const std::int64_t blocks = threads * rounds;
  parallel(threads, blocks, kSerialElements, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (; begin < end; ++begin) {
      const std::int64_t first = pixels * begin / blocks;
      f(first, pixels * (begin + 1) / blocks - first, thread);
    }
  });
}

/// f32 buffers, one per thread, for the sums of a block before they are rounded to bf16. In f32, sums are formed in the
/// output itself.
template <class T>
struct Blocks {
  std::int64_t floats = 0;  ///< per thread
  float* data = nullptr;

  Blocks(int threads, std::int64_t pixels, std::int64_t width, Scratch& scratch) {
    if constexpr (kRounds<T>) {
      const bool one = is_one_block(threads, pixels);
      floats = (one ? pixels : kLargestBlock) * width;
      data = scratch.take<float>((one ? 1 : threads) * floats);
    }
  }
  /// The matrix for the sums of rows [first, ...) of `out`, and its row stride.
  std::pair<float*, std::int64_t> of(int thread, const View<T>& out, std::int64_t first) const {
    if constexpr (kRounds<T>) {
      return {data + thread * floats, out.c};
    } else {
      return {out.pixel(first), out.stride};
    }
  }
};

std::int64_t widest(const Tensor* tensors, std::size_t count) {
  std::int64_t channels = 0;
  for (std::size_t j = 0; j < count; ++j) channels = std::max(channels, tensors[j].c());
  return channels;
}

}  // namespace

void CpuBackend::pointwise_forward(const Pointwise& op, const Tensor& prepacked, bool refresh_prepacked,
                                   Scratch scratch) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> in = const_view<T>(op.x);
    const T* weights = factors<T>(threads_, op.w, prepacked, refresh_prepacked, scratch);
    const Blocks<T> sums(threads_, in.pixels(), widest(op.y, op.members), scratch);
    const float* offsets = values(op.bias);
    for_each_block(threads_, in.pixels(), [&](std::int64_t first, std::int64_t count, int thread) {
      std::int64_t row = 0;
      for (std::size_t j = 0; j < op.members; ++j) {
        const View<T> out = view<T>(op.y[j]);
        const auto [sum, stride] = sums.of(thread, out, first);
        onednn_.gemm(false, true, count, out.c, in.c, in.pixel(first), in.stride, weights + row * in.c, in.c, 0.0f, sum,
                     stride);
        finish(sum, stride, out, first, count, offsets == nullptr ? nullptr : offsets + row, op.relu);
        row += out.c;
      }
    });
  });
}

Requirements CpuBackend::pointwise_needs(const Pointwise& op, const Tensor& prepacked) const {
  Scratch scratch;
  std::size_t prepacked_bytes = 0;
  in_dtype_of(op.x, [&]<class T>(T) {
    prepacked_bytes = prepacked_factors<T>(op.w);
    factors<T>(threads_, op.w, prepacked, false, scratch);
    const Blocks<T> sums(threads_, op.x.pixels(), widest(op.y, op.members), scratch);
  });
  return {scratch.taken(), prepacked_bytes};
}

void CpuBackend::pointwise_backward_data(const Tensor* dy, std::size_t members, const Tensor& w,
                                         const GradTarget& target, Scratch scratch) {
  in_dtype_of(target.dx, [&]<class T>(T) {
    const GradientStore<T> store(target);
    const View<T>& dx = store.dx;
    const T* weights = factors<T>(threads_, w, {}, true, scratch);
    const Blocks<T> sums(threads_, dx.pixels(), dx.c, scratch);
    const bool adds = store.accumulate && !kRounds<T>;
    for_each_block(threads_, dx.pixels(), [&](std::int64_t first, std::int64_t count, int thread) {
      const auto [sum, stride] = sums.of(thread, dx, first);
      std::int64_t row = 0;
      for (std::size_t j = 0; j < members; ++j) {
        const View<const T> gradient = const_view<T>(dy[j]);
        onednn_.gemm(false, false, count, dx.c, gradient.c, gradient.pixel(first), gradient.stride,
                     weights + row * dx.c, dx.c, adds || j > 0 ? 1.0f : 0.0f, sum, stride);
        row += gradient.c;
      }
      finish(sum, stride, store, first, count);
    });
  });
}

Requirements CpuBackend::pointwise_backward_data_needs(const Tensor& w, const Tensor& dx) const {
  Scratch scratch;
  in_dtype_of(dx, [&]<class T>(T) {
    factors<T>(threads_, w, {}, true, scratch);
    const Blocks<T> sums(threads_, dx.pixels(), dx.c(), scratch);
  });
  return {scratch.taken(), 0};
}

void CpuBackend::pointwise_backward_weights(const Tensor& x, const Tensor* dy, std::size_t members, const Tensor& dw,
                                            const Tensor& dbias, bool accumulate, Scratch scratch) {
  float* weights = values(dw);
  float* offsets = values(dbias);
  const ColumnSums sums(threads_, offsets == nullptr ? 0 : widest(dy, members), scratch);
  in_dtype_of(x, [&]<class T>(T) {
    const View<const T> in = const_view<T>(x);
    std::int64_t row = 0;
    for (std::size_t j = 0; j < members; ++j) {
      const View<const T> gradient = const_view<T>(dy[j]);
      onednn_.gemm(true, false, gradient.c, in.c, in.pixels(), gradient.data, gradient.stride, in.data, in.stride,
                   accumulate ? 1.0f : 0.0f, weights + row * in.c, in.c);
      if (offsets != nullptr) sum_pixels(gradient, sums, offsets + row, accumulate);
      row += gradient.c;
    }
  });
}

Requirements CpuBackend::pointwise_backward_weights_needs(const Tensor* dy, std::size_t members,
                                                          const Tensor& dbias) const {
  Scratch scratch;
  const ColumnSums sums(threads_, dbias.defined() ? widest(dy, members) : 0, scratch);
  return {scratch.taken(), 0};
}

void CpuBackend::conv2d_fused_1x1_forward(const Conv2dFused1x1Forward& op, Workspace workspace) {
  pointwise_forward({op.x, op.w, op.bias, op.relu, op.y.data(), op.y.size()}, op.prepacked, op.refresh_prepacked,
                    Scratch(workspace));
}

void CpuBackend::conv2d_fused_1x1_backward_data(const Conv2dFused1x1BackwardData& op, Workspace workspace) {
  pointwise_backward_data(op.dy.data(), op.dy.size(), op.w, op.target, Scratch(workspace));
}

void CpuBackend::conv2d_fused_1x1_backward_weights(const Conv2dFused1x1BackwardWeights& op, Workspace workspace) {
  pointwise_backward_weights(op.x, op.dy.data(), op.dy.size(), op.dw, op.dbias, op.accumulate, Scratch(workspace));
}

Requirements CpuBackend::needs(const Conv2dFused1x1Forward& op) {
  return pointwise_needs({op.x, op.w, op.bias, op.relu, op.y.data(), op.y.size()}, op.prepacked);
}

Requirements CpuBackend::needs(const Conv2dFused1x1BackwardData& op) {
  return pointwise_backward_data_needs(op.w, op.target.dx);
}

Requirements CpuBackend::needs(const Conv2dFused1x1BackwardWeights& op) {
  return pointwise_backward_weights_needs(op.dy.data(), op.dy.size(), op.dbias);
}

}  // namespace minception
