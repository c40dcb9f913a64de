/// Convolution, gradients of the weights:
///   dw[o,r,s,i] (+)= sum over output pixels of
///                    dy[n,p,q,o] * x[n, p*stride.h + r - padding.h, q*stride.w + s - padding.w, i]
///   dbias[o]    (+)= sum over output pixels of dy[n,p,q,o]
///
/// As a split-K GEMM (gemm.h, weight_gradient.h): m is the output channel o, n is (r, s, i), k the output pixel. A 1x1
/// convolution with stride 1 and no padding is forwarded to conv2d_fused_1x1_backward.cu.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm_dispatch.h"
#include "kernels/cuda/gemm_iterators.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/weight_gradient.h"

namespace minception {
namespace cuda {

namespace {
constexpr int kBlock = 256;
}  // namespace

/// Direct evaluation of dw: one thread per weight.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_backward_weights_naive(View<const T> x, View<const T> dy, ConvGeometry geometry, View<float> dw,
                                  bool accumulate) {
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= dw.elements()) return;
  const int i = index % dw.c;
  const int s = index / dw.c % dw.w;
  const int r = index / (dw.c * dw.w) % dw.h;
  const int o = index / (dw.c * dw.w * dw.h);

  float sum = 0.0f;
  for (int image = 0; image < dy.n; ++image) {
    for (int p = 0; p < dy.h; ++p) {
      const int row = p * geometry.stride_h + r - geometry.padding_h;
      if (row < 0 || row >= x.h) continue;
      for (int q = 0; q < dy.w; ++q) {
        const int column = q * geometry.stride_w + s - geometry.padding_w;
        if (column < 0 || column >= x.w) continue;
        sum += static_cast<float>(dy.pixel(image, p, q)[o]) * static_cast<float>(x.pixel(image, row, column)[i]);
      }
    }
  }
  dw.data[index] = accumulate ? dw.data[index] + sum : sum;
}

/// Direct evaluation of dbias: one thread per filter.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_backward_weights_naive_bias(View<const T> dy, float* dbias, bool accumulate) {
  const int o = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (o >= dy.c) return;
  float sum = 0.0f;
  for (int pixel = 0; pixel < dy.pixels(); ++pixel) sum += static_cast<float>(dy.pixel(pixel)[o]);
  dbias[o] = accumulate ? dbias[o] + sum : sum;
}

template <class Mainloop, class T, int V>
__global__ void __launch_bounds__(Mainloop::kThreads, Mainloop::kMinBlocksPerSm)
    conv2d_backward_weights_gemm(MatrixIterator<T, V, false> dy, WgradActivationIterator<T, V> x,
                                 WeightGradient gradient, GemmShape shape) {
  weight_gradient<Mainloop>(dy, x, gradient, shape);
}

namespace {

Conv2dFused1x1BackwardWeights as_group(const Conv2dBackwardWeights& op) {
  Conv2dFused1x1BackwardWeights group;
  group.x = op.x;
  group.dy = {op.dy};
  group.dw = op.dw;
  group.dbias = op.dbias;
  group.accumulate = op.accumulate;
  return group;
}

WeightGradientPlan plan_of(const Conv2dBackwardWeights& op) {
  const auto filters = static_cast<int>(op.dw.n());
  return {filters, static_cast<int>(op.dw.elements()) / filters, static_cast<int>(op.dy.pixels())};
}

}  // namespace
}  // namespace cuda

using namespace cuda;

Requirements CudaBackend::needs(const Conv2dBackwardWeights& op) {
  if (options_.algorithm == Algorithm::naive) return {};
  return {.workspace = plan_of(op).workspace_bytes()};
}

void CudaBackend::conv2d_backward_weights(const Conv2dBackwardWeights& op, Workspace workspace) {
  // The fused operation with one member plans the same workspace.
  if (is_pointwise(op.attributes, op.dw) && options_.algorithm != Algorithm::naive) {
    return conv2d_fused_1x1_backward_weights(as_group(op), workspace);
  }

  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const View<float> dw = view<float>(op.dw);
    float* const dbias = values<float>(op.dbias);
    const ConvGeometry geometry(op.attributes);
    const Algorithm algorithm = algorithm_for<T>(options_);
    if (algorithm == Algorithm::naive) {
      launch<conv2d_backward_weights_naive<T>>(ceil_div(dw.elements(), kBlock), kBlock, 0, stream_, x, dy, geometry, dw,
                                               op.accumulate);
      if (dbias == nullptr) return;
      launch<conv2d_backward_weights_naive_bias<T>>(ceil_div(dy.c, kBlock), kBlock, 0, stream_, dy, dbias,
                                                    op.accumulate);
      return;
    }

    const PixelOrder order(dy);
    const FilterOrder filter(dw.h, dw.w, dw.c);
    const WeightGradientPlan plan = plan_of(op);
    const GemmShape& shape = plan.shape();
    const WeightGradient gradient(dw.data, dbias, shape.m, shape.n, op.accumulate);
    const WeightGradient destination = plan.destination(gradient, workspace);
    for_mainloop<T>(
        options_, shape, [&](int v) { return is_vectorizable(dy, v) && is_vectorizable(x, v); },
        [&]<class Mainloop, int V>() {
          using Dy = MatrixIterator<T, V, false>;
          using X = WgradActivationIterator<T, V>;
          launch<conv2d_backward_weights_gemm<Mainloop, T, V>>(
              weight_gradient_grid<Mainloop>(shape, destination), Mainloop::kThreads, kGemmSharedBytes<Mainloop, Dy, X>,
              stream_, pixel_iterator<V, false>(dy), X{x, geometry, order, filter}, destination, shape);
        });
    if (shape.splits() > 1) add_weight_gradient_parts(destination, shape.splits(), gradient, stream_);
  });
}

}  // namespace minception
