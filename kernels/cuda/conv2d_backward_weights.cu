/// Convolution, gradients of the weights:
///   dw[o,r,s,i] (+)= sum over output pixels of dy[n,p,q,o] * x[n, p*stride.h + r - padding.h, q*stride.w + s - padding.w, i]
///   dbias[o]    (+)= sum over output pixels of dy[n,p,q,o]
///
/// As a matrix product (gemm.h): a row per filter, a column per (r, s, i), k over output pixels, divided among blocks
/// (weight_gradient.h). A 1x1 convolution without stride and padding is a group of one (conv2d_1x1_group_backward.cu).

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/gemm_dispatch.h>
#include <minception/kernels/cuda/gemm_operands.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/weight_gradient.h>

namespace minception {
namespace cuda {

namespace {
constexpr int kBlock = 256;
}  // namespace

/// The formula: one thread per weight.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_backward_weights_naive(View<const T> x, View<const T> dy, WindowPlace place, View<float> dw,
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
      const int row = p * place.stride_h + r - place.padding_h;
      if (row < 0 || row >= x.h) continue;
      for (int q = 0; q < dy.w; ++q) {
        const int column = q * place.stride_w + s - place.padding_w;
        if (column < 0 || column >= x.w) continue;
        sum += static_cast<float>(dy.pixel(image, p, q)[o]) * static_cast<float>(x.pixel(image, row, column)[i]);
      }
    }
  }
  dw.data[index] = accumulate ? dw.data[index] + sum : sum;
}

/// The formula: one thread per filter.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_backward_weights_naive_bias(View<const T> dy, float* dbias, bool accumulate) {
  const int o = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (o >= dy.c) return;
  float sum = 0.0f;
  for (int pixel = 0; pixel < dy.pixels(); ++pixel) sum += static_cast<float>(dy.pixel(pixel)[o]);
  dbias[o] = accumulate ? dbias[o] + sum : sum;
}

template <class Multiply, class T, int V>
__global__ void __launch_bounds__(Multiply::kThreads, Multiply::kBlocksPerProcessor)
    conv2d_backward_weights_gemm(Matrix<T, V, false> dy, WindowsAcross<T, V> x, WeightGradient gradient,
                                 GemmShape shape) {
  weight_gradient<Multiply>(dy, x, gradient, shape);
}

namespace {

Conv2d1x1GroupBackwardWeights as_group(const Conv2dBackwardWeights& op) {
  Conv2d1x1GroupBackwardWeights group;
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
  if (options_.rung == Rung::naive) return {};
  return {.workspace = plan_of(op).workspace_bytes()};
}

void CudaBackend::conv2d_backward_weights(const Conv2dBackwardWeights& op, Workspace workspace) {
  // The group plans its workspace for the same extents.
  if (is_pointwise(op.attributes, op.dw) && options_.rung != Rung::naive) {
    return conv2d_1x1_group_backward_weights(as_group(op), workspace);
  }

  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const View<float> dw = view<float>(op.dw);
    float* const dbias = values<float>(op.dbias);
    const WindowPlace place(op.attributes);
    const Rung rung = rung_for<T>(options_);
    if (rung == Rung::naive) {
      launch<conv2d_backward_weights_naive<T>>(blocks_for(dw.elements(), kBlock), kBlock, 0, stream_, x, dy, place, dw,
                                               op.accumulate);
      if (dbias == nullptr) return;
      launch<conv2d_backward_weights_naive_bias<T>>(blocks_for(dy.c, kBlock), kBlock, 0, stream_, dy, dbias,
                                                    op.accumulate);
      return;
    }

    const PixelOrder order(dy);
    const TapOrder taps(dw.h, dw.w, dw.c);
    const WeightGradientPlan plan = plan_of(op);
    const GemmShape& shape = plan.shape();
    const WeightGradient gradient(dw.data, dbias, shape.m, shape.n, op.accumulate);
    const WeightGradient destination = plan.destination(gradient, workspace);
    for_multiply<T>(
        rung, shape, [&](int v) { return divides(dy, v) && divides(x, v); },
        [&]<class Multiply, int V>() {
          using Dy = Matrix<T, V, false>;
          using X = WindowsAcross<T, V>;
          launch<conv2d_backward_weights_gemm<Multiply, T, V>>(
              weight_gradient_grid<Multiply>(shape, destination), Multiply::kThreads, kGemmSharedBytes<Multiply, Dy, X>,
              stream_, pixel_matrix<V, false>(dy), X{x, place, order, taps}, destination, shape);
        });
    if (shape.splits() > 1) add_weight_gradient_parts(destination, shape.splits(), gradient, stream_);
  });
}

}  // namespace minception
