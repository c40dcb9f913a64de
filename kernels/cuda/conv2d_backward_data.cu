/// Convolution, gradient of the input:
///   dx[n,h,w,i] = sum over (r,s,o) of w[o,r,s,i] * dy[n,p,q,o],  with the p and q for which
///                 p*stride.h + r - padding.h = h  and  q*stride.w + s - padding.w = w
///
/// A gather instead of a scatter: the thread of an element of dx sums the dy of every output that the element
/// contributed to. This needs no atomics and fixes the order of the sum. With stride 1 it is a convolution of dy with
/// the flipped filter; with a larger stride only every stride-th filter position has an output.
///
/// As a GEMM (gemm.h): m is the input pixel, n the input channel i, k is (r, s, o). A 1x1 convolution with stride 1 and
/// no padding is forwarded to conv2d_fused_1x1_backward.cu.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm_dispatch.h"
#include "kernels/cuda/gemm_epilogues.h"
#include "kernels/cuda/gemm_iterators.h"
#include "kernels/cuda/launch.h"

namespace minception {
namespace cuda {

namespace {
constexpr int kBlock = 256;

/// The output index that reads input index `in` at filter position `r` along one axis, or -1 if none does.
__device__ __forceinline__ int output_of(int in, int r, int stride, int padding, int outputs) {
  const int distance = in + padding - r;
  if (distance < 0 || distance % stride != 0 || distance / stride >= outputs) return -1;
  return distance / stride;
}
}  // namespace

/// Direct evaluation of the formula: one thread per element of dx.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_backward_data_naive(View<const T> dy, View<const float> w, ConvGeometry geometry, Gradient<T> target) {
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
    const int p = output_of(row, r, geometry.stride_h, geometry.padding_h, dy.h);
    if (p < 0) continue;
    for (int s = 0; s < w.w; ++s) {
      const int q = output_of(column, s, geometry.stride_w, geometry.padding_w, dy.w);
      if (q < 0) continue;
      const T* const gradients = dy.pixel(image, p, q);
      for (int o = 0; o < dy.c; ++o) sum += static_cast<float>(gradients[o]) * w.pixel(o, r, s)[i];
    }
  }
  target.store(pixel, i, sum);
}

template <class Mainloop, class T, int V>
__global__ void __launch_bounds__(Mainloop::kThreads, Mainloop::kMinBlocksPerSm)
    conv2d_backward_data_gemm(DgradIterator<T, V> dy, DgradFilterIterator<V> w, GradientEpilogue<T> dx,
                              GemmShape shape) {
  gemm<Mainloop>(dy, w, dx, shape);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_backward_data(const Conv2dBackwardData& op, Workspace workspace) {
  if (is_pointwise(op.attributes, op.w) && options_.algorithm != Algorithm::naive) {
    Conv2dFused1x1BackwardData group;
    group.dy = {op.dy};
    group.w = op.w;
    group.target = op.target;
    return conv2d_fused_1x1_backward_data(group, workspace);
  }

  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const View<const float> w = const_view<float>(op.w);
    const Gradient<T> target = gradient<T>(op.target);
    const Algorithm algorithm = algorithm_for<T>(options_);
    if (algorithm == Algorithm::naive) {
      launch<conv2d_backward_data_naive<T>>(ceil_div(target.dx.elements(), kBlock), kBlock, 0, stream_, dy, w,
                                            ConvGeometry(op.attributes), target);
      return;
    }

    const PixelOrder order(target.dx);
    const FilterOrder filter(w.h, w.w, dy.c);
    const GemmShape shape(order.pixels(), w.c, filter.count());
    for_mainloop<T>(
        options_, shape, [&](int v) { return is_vectorizable(dy, v) && is_vectorizable(w, v); },
        [&]<class Mainloop, int V>() {
          launch<conv2d_backward_data_gemm<Mainloop, T, V>>(
              gemm_grid<Mainloop>(shape), Mainloop::kThreads,
              kGemmSharedBytes<Mainloop, DgradIterator<T, V>, DgradFilterIterator<V>>, stream_,
              DgradIterator<T, V>(dy, op.attributes, order, filter),
              DgradFilterIterator<V>{w.data, w.c, filter, w.h * w.w * w.c}, GradientEpilogue<T>(target), shape);
        });
  });
}

}  // namespace minception
