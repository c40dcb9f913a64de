/// 1x1 convolutions of one input, and what is the same computation: a single 1x1 convolution, a fully
/// connected layer. In channels-last memory all of them are matrix products  (pixels, I) x (I, O), and a
/// channel slice is a matrix with a longer row stride. So every member reads its rows of w where they lie and
/// writes its slice of y directly, without workspace. (One product per member takes as long as one for all,
/// measured on GoogLeNet.)

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/parallel.h>
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

/// f(first pixel, count), over blocks in parallel, or once over all pixels when there are too few to share:
/// then the matrix products inside use the threads.
template <class F>
void for_each_block(int threads, std::int64_t pixels, F&& f) {
  if (pixels < threads * kSmallestBlock) return f(std::int64_t{0}, pixels);
  const std::int64_t rounds = (pixels + threads * kLargestBlock - 1) / (threads * kLargestBlock);
  const std::int64_t blocks = threads * rounds;
  parallel(threads, blocks, kSerialElements, [&](std::int64_t begin, std::int64_t end, int) {
    for (; begin < end; ++begin) {
      const std::int64_t first = pixels * begin / blocks;
      f(first, pixels * (begin + 1) / blocks - first);
    }
  });
}

void add_bias_and_relu(const View<float>& y, std::int64_t first, std::int64_t count, const float* bias, bool relu) {
  for (std::int64_t pixel = first; pixel < first + count; ++pixel) {
    float* out = y.pixel(pixel);
    if (bias != nullptr && relu) {
#pragma omp simd
      for (std::int64_t o = 0; o < y.c; ++o) {
        const float value = out[o] + bias[o];
        out[o] = value < 0.0f ? 0.0f : value;
      }
    } else if (bias != nullptr) {
#pragma omp simd
      for (std::int64_t o = 0; o < y.c; ++o) out[o] += bias[o];
    } else if (relu) {
#pragma omp simd
      for (std::int64_t o = 0; o < y.c; ++o) out[o] = out[o] < 0.0f ? 0.0f : out[o];
    }
  }
}

std::int64_t widest(const Tensor* tensors, std::size_t count) {
  std::int64_t channels = 0;
  for (std::size_t j = 0; j < count; ++j) channels = std::max(channels, tensors[j].c());
  return channels;
}

}  // namespace

void CpuBackend::pointwise_forward(const Tensor& x, const Tensor& w, const Tensor& bias, bool relu, const Tensor* y,
                                   std::size_t members) {
  const View<const float> in = const_view(x);
  const float* weights = values(w);
  const float* offsets = values(bias);
  for_each_block(threads_, in.pixels(), [&](std::int64_t first, std::int64_t count) {
    std::int64_t row = 0;
    for (std::size_t j = 0; j < members; ++j) {
      const View<float> out = view(y[j]);
      onednn_.gemm(false, true, count, out.c, in.c, in.pixel(first), in.stride, weights + row * in.c, in.c, 0.0f,
                   out.pixel(first), out.stride);
      add_bias_and_relu(out, first, count, offsets == nullptr ? nullptr : offsets + row, relu);
      row += out.c;
    }
  });
}

void CpuBackend::pointwise_backward_data(const Tensor* dy, std::size_t members, const Tensor& w,
                                         const GradTarget& target) {
  const GradientStore store(target);
  const View<float>& dx = store.dx;
  const float* weights = values(w);
  for_each_block(threads_, dx.pixels(), [&](std::int64_t first, std::int64_t count) {
    std::int64_t row = 0;
    for (std::size_t j = 0; j < members; ++j) {
      const View<const float> gradient = const_view(dy[j]);
      onednn_.gemm(false, false, count, dx.c, gradient.c, gradient.pixel(first), gradient.stride, weights + row * dx.c,
                   dx.c, store.accumulate || j > 0 ? 1.0f : 0.0f, dx.pixel(first), dx.stride);
      row += gradient.c;
    }
    if (!store.masked) return;
    for (std::int64_t pixel = first; pixel < first + count; ++pixel) store.mask(Run{pixel, 0, dx.c});
  });
}

void CpuBackend::pointwise_backward_weights(const Tensor& x, const Tensor* dy, std::size_t members, const Tensor& dw,
                                            const Tensor& dbias, bool accumulate, Scratch scratch) {
  const View<const float> in = const_view(x);
  float* weights = values(dw);
  float* offsets = values(dbias);
  const ColumnSums sums(threads_, offsets == nullptr ? 0 : widest(dy, members), scratch);
  std::int64_t row = 0;
  for (std::size_t j = 0; j < members; ++j) {
    const View<const float> gradient = const_view(dy[j]);
    onednn_.gemm(true, false, gradient.c, in.c, in.pixels(), gradient.data, gradient.stride, in.data, in.stride,
                 accumulate ? 1.0f : 0.0f, weights + row * in.c, in.c);
    if (offsets != nullptr) sum_pixels(gradient, sums, offsets + row, accumulate);
    row += gradient.c;
  }
}

Requirements CpuBackend::pointwise_needs(const Tensor* dy, std::size_t members, const Tensor& dbias) const {
  Scratch scratch;
  const ColumnSums sums(threads_, dbias.defined() ? widest(dy, members) : 0, scratch);
  return {scratch.taken(), 0};
}

void CpuBackend::conv2d_1x1_group_forward(const Conv2d1x1GroupForward& op, Workspace) {
  pointwise_forward(op.x, op.w, op.bias, op.relu, op.y.data(), op.y.size());
}

void CpuBackend::conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData& op, Workspace) {
  pointwise_backward_data(op.dy.data(), op.dy.size(), op.w, op.target);
}

void CpuBackend::conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights& op, Workspace workspace) {
  pointwise_backward_weights(op.x, op.dy.data(), op.dy.size(), op.dw, op.dbias, op.accumulate, Scratch(workspace));
}

Requirements CpuBackend::needs(const Conv2d1x1GroupBackwardWeights& op) {
  return pointwise_needs(op.dy.data(), op.dy.size(), op.dbias);
}

}  // namespace minception
