/// Convolution, gradient of the input:
///   dx[n,h,w,i] = sum over (r,s,o) of w[o,r,s,i] * dy[n,p,q,o], with the p and q for which p*stride.h + r - padding.h = h
///   and q*stride.w + s - padding.w = w
///
/// Gathered, not scattered: whoever computes an element of dx looks up the outputs that it went into, so that nothing is
/// written twice, nothing is atomic and the order of the sum is fixed. With stride 1 this is a convolution of dy with
/// the taps turned round; with a larger one, only every stride-th tap finds an output.
///
/// As a matrix product (gemm.h): a row per input pixel, a column per channel of x, k over (r, s, o). A 1x1 convolution
/// without stride and padding is a group of one (conv2d_1x1_group_backward.cu).

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/gemm_dispatch.h>
#include <minception/kernels/cuda/gemm_operands.h>
#include <minception/kernels/cuda/gemm_results.h>
#include <minception/kernels/cuda/launch.h>

namespace minception {
namespace cuda {

namespace {
constexpr int kBlock = 256;

/// The output index whose tap fell on input index `in` of the same axis, or -1 if there is none: the stride may have
/// stepped over it.
__device__ __forceinline__ int output_of(int in, int tap, int stride, int padding, int outputs) {
  const int distance = in + padding - tap;
  if (distance < 0 || distance % stride != 0 || distance / stride >= outputs) return -1;
  return distance / stride;
}
}  // namespace

/// The formula: one thread per element of dx.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_backward_data_naive(View<const T> dy, View<const float> w, WindowPlace place, Gradient<T> target) {
  const View<T> dx = target.dx;
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= dx.elements()) return;
  const int i = index % dx.c;
  const int pixel = index / dx.c;
  const int image = pixel / (dx.h * dx.w);
  const int row = pixel / dx.w % dx.h;
  const int column = pixel % dx.w;

  float sum = 0.0f;
  for (int r = 0; r < w.h; ++r) {
    const int p = output_of(row, r, place.stride_h, place.padding_h, dy.h);
    if (p < 0) continue;
    for (int s = 0; s < w.w; ++s) {
      const int q = output_of(column, s, place.stride_w, place.padding_w, dy.w);
      if (q < 0) continue;
      const T* const gradients = dy.pixel(image, p, q);
      for (int o = 0; o < dy.c; ++o) sum += static_cast<float>(gradients[o]) * w.pixel(o, r, s)[i];
    }
  }
  target.store(pixel, i, sum);
}

template <class Multiply, class T, int V>
__global__ void __launch_bounds__(Multiply::kThreads, Multiply::kBlocksPerProcessor)
    conv2d_backward_data_gemm(Spread<T, V> dy, Filters<V> w, GradientResult<T> dx, GemmShape shape) {
  gemm<Multiply>(dy, w, dx, shape);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_backward_data(const Conv2dBackwardData& op, Workspace workspace) {
  if (is_pointwise(op.attributes, op.w) && options_.rung != Rung::naive) {
    Conv2d1x1GroupBackwardData group;
    group.dy = {op.dy};
    group.w = op.w;
    group.target = op.target;
    return conv2d_1x1_group_backward_data(group, workspace);
  }

  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const View<const float> w = const_view<float>(op.w);
    const Gradient<T> target = gradient<T>(op.target);
    const Rung rung = rung_for<T>(options_);
    if (rung == Rung::naive) {
      launch<conv2d_backward_data_naive<T>>(blocks_for(target.dx.elements(), kBlock), kBlock, 0, stream_, dy, w,
                                            WindowPlace(op.attributes), target);
      return;
    }

    const PixelOrder order(target.dx);
    const TapOrder taps(w.h, w.w, dy.c);
    const GemmShape shape(order.pixels(), w.c, taps.count());
    for_multiply<T>(
        rung, shape, [&](int v) { return divides(dy, v) && divides(w, v); },
        [&]<class Multiply, int V>() {
          launch<conv2d_backward_data_gemm<Multiply, T, V>>(
              gemm_grid<Multiply>(shape), Multiply::kThreads, kGemmSharedBytes<Multiply, Spread<T, V>, Filters<V>>,
              stream_, Spread<T, V>(dy, op.attributes, order, taps), Filters<V>{w.data, w.c, taps, w.h * w.w * w.c},
              GradientResult<T>(target), shape);
        });
  });
}

}  // namespace minception
