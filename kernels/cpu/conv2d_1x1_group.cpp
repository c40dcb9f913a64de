/// 1x1 convolutions of one input, and what is the same computation: a single 1x1 convolution, a fully
/// connected layer. In channels-last memory all of them are matrix products  (pixels, I) x (I, O), and a
/// channel slice is a matrix with a longer row stride. So every member reads its rows of w where they lie and
/// writes its slice of y directly. (One product per member takes as long as one for all, measured on
/// GoogLeNet.)
///
/// In f32 that takes no workspace. In bf16 a product sums into f32, for one block of pixels at a time, and is rounded
/// on its way from there to its slice. On GoogLeNet's shapes such a product runs at 360 to 440 GFLOP/s on 2 cores
/// (AMD EPYC 9004), oneDNN's 1x1 primitives at 400 to 470 forward and at 250 to 390 for the weights; those would want
/// dense images, and copying slices takes longer than what they gain.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/parallel.h>
#include <minception/kernels/cpu/product.h>
#include <minception/kernels/cpu/reduce.h>
#include <minception/kernels/cpu/view.h>

#include <algorithm>

namespace minception {
namespace {

using namespace cpu;

// A thread takes blocks of pixels through all members and the bias, ReLU or mask that follows, while they are
// in its cache: large enough that packing w again for each block is cheap, small enough for the second-level
// cache.
constexpr std::int64_t kLargestBlock = 256;
constexpr std::int64_t kSmallestBlock = 64;

/// Too few pixels to share: then the matrix products inside use the threads.
bool is_one_block(int threads, std::int64_t pixels) { return pixels < threads * kSmallestBlock; }

/// f(first pixel, count, thread), over blocks in parallel, or once over all pixels.
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

/// Where the products of a block are summed in f32 before they are rounded to bf16, one per thread; in f32 they are
/// summed where they belong.
template <class T>
struct Blocks {
  std::int64_t floats = 0;  ///< of one thread
  float* data = nullptr;

  Blocks(int threads, std::int64_t pixels, std::int64_t width, Scratch& scratch) {
    if constexpr (kRounds<T>) {
      const bool one = is_one_block(threads, pixels);
      floats = (one ? pixels : kLargestBlock) * width;
      data = scratch.take<float>((one ? 1 : threads) * floats);
    }
  }
  /// The matrix that products for rows [first, ...) of `out` are summed in, and from row to row.
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

void CpuBackend::pointwise_forward(const Pointwise& op, const Tensor& packed, bool refresh_packed, Scratch scratch) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> in = const_view<T>(op.x);
    const T* weights = factors<T>(threads_, op.w, packed, refresh_packed, scratch);
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

Requirements CpuBackend::pointwise_needs(const Pointwise& op, const Tensor& packed) const {
  Scratch scratch;
  std::size_t packed_bytes = 0;
  in_dtype_of(op.x, [&]<class T>(T) {
    packed_bytes = packed_factors<T>(op.w);
    factors<T>(threads_, op.w, packed, false, scratch);
    const Blocks<T> sums(threads_, op.x.pixels(), widest(op.y, op.members), scratch);
  });
  return {scratch.taken(), packed_bytes};
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

void CpuBackend::conv2d_1x1_group_forward(const Conv2d1x1GroupForward& op, Workspace workspace) {
  pointwise_forward({op.x, op.w, op.bias, op.relu, op.y.data(), op.y.size()}, op.packed, op.refresh_packed,
                    Scratch(workspace));
}

void CpuBackend::conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData& op, Workspace workspace) {
  pointwise_backward_data(op.dy.data(), op.dy.size(), op.w, op.target, Scratch(workspace));
}

void CpuBackend::conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights& op, Workspace workspace) {
  pointwise_backward_weights(op.x, op.dy.data(), op.dy.size(), op.dw, op.dbias, op.accumulate, Scratch(workspace));
}

Requirements CpuBackend::needs(const Conv2d1x1GroupForward& op) {
  return pointwise_needs({op.x, op.w, op.bias, op.relu, op.y.data(), op.y.size()}, op.packed);
}

Requirements CpuBackend::needs(const Conv2d1x1GroupBackwardData& op) {
  return pointwise_backward_data_needs(op.w, op.target.dx);
}

Requirements CpuBackend::needs(const Conv2d1x1GroupBackwardWeights& op) {
  return pointwise_backward_weights_needs(op.dy.data(), op.dy.size(), op.dbias);
}

}  // namespace minception
