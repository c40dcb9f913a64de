/// Convolution, forward:
///   y[n,p,q,o] = bias[o] + sum over (r,s,i) of
///                w[o,r,s,i] * x[n, p*stride.h + r - padding.h, q*stride.w + s - padding.w, i],  then ReLU if asked.
///
/// As a matrix product (gemm.h): a row per output pixel, a column per filter, k over the (r, s, i) of a filter, which
/// is the order weights have in memory. The matrix of windows exists only as addresses. A 1x1 convolution without
/// stride and padding is a group of one (conv2d_1x1_group_forward.cu).

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/gemm_dispatch.h>
#include <minception/kernels/cuda/gemm_operands.h>
#include <minception/kernels/cuda/gemm_results.h>
#include <minception/kernels/cuda/launch.h>

namespace minception {
namespace cuda {

constexpr int kBlock = 256;

/// The formula: one thread per element of y.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_forward_naive(View<const T> x, const float* w, const float* bias, View<T> y, int taps_h, int taps_w,
                         WindowPlace place, bool relu) {
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= y.elements()) return;
  const int o = index % y.c;
  const int pixel = index / y.c;
  const int image = pixel / (y.h * y.w);
  const int p = pixel / y.w % y.h;
  const int q = pixel % y.w;

  float sum = bias != nullptr ? bias[o] : 0.0f;
  for (int r = 0; r < taps_h; ++r) {
    const int row = p * place.stride_h + r - place.padding_h;
    if (row < 0 || row >= x.h) continue;
    for (int s = 0; s < taps_w; ++s) {
      const int column = q * place.stride_w + s - place.padding_w;
      if (column < 0 || column >= x.w) continue;
      const T* const channels = x.pixel(image, row, column);
      const float* const weights = w + ((o * taps_h + r) * taps_w + s) * x.c;
      for (int i = 0; i < x.c; ++i) sum += weights[i] * static_cast<float>(channels[i]);
    }
  }
  if (relu && sum < 0.0f) sum = 0.0f;
  y.pixel(pixel)[o] = static_cast<T>(sum);
}

template <class Multiply, class T, int V>
__global__ void __launch_bounds__(Multiply::kThreads, Multiply::kBlocksPerProcessor)
    conv2d_forward_gemm(Windows<T, V> x, Matrix<float, V, true> w, Outputs<T> y, GemmShape shape) {
  gemm<Multiply>(x, w, y, shape);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_forward(const Conv2dForward& op, Workspace workspace) {
  const Conv2dAttributes& attributes = op.attributes;
  const int taps_h = static_cast<int>(op.w.h());
  const int taps_w = static_cast<int>(op.w.w());
  if (is_pointwise(attributes, op.w) && options_.rung != Rung::naive) {
    Conv2d1x1GroupForward group;
    group.relu = attributes.relu;
    group.x = op.x;
    group.w = op.w;
    group.bias = op.bias;
    group.y = {op.y};
    return conv2d_1x1_group_forward(group, workspace);
  }

  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const View<const float> w = const_view<float>(op.w);
    const float* const bias = values<const float>(op.bias);
    const WindowPlace place(attributes);
    const Rung rung = rung_for<T>(options_);
    if (rung == Rung::naive) {
      launch<conv2d_forward_naive<T>>(blocks_for(y.elements(), kBlock), kBlock, 0, stream_, x, w.data, bias, y, taps_h,
                                      taps_w, place, attributes.relu);
      return;
    }

    const PixelOrder order(y);
    const TapOrder taps(taps_h, taps_w, x.c);
    const GemmShape shape(order.pixels(), y.c, taps.count());
    Outputs<T> outputs(bias, attributes.relu, order);
    outputs.set(0, 0, y);
    for_multiply<T>(
        rung, shape, [&](int v) { return divides(x, v) && divides(w, v); },
        [&]<class Multiply, int V>() {
          using Weights = Matrix<float, V, true>;
          launch<conv2d_forward_gemm<Multiply, T, V>>(
              gemm_grid<Multiply>(shape), Multiply::kThreads, kGemmSharedBytes<Multiply, Windows<T, V>, Weights>,
              stream_, Windows<T, V>{x, place, order, taps}, Weights{w.data, y.c, shape.k, shape.k}, outputs, shape);
        });
  });
}

}  // namespace minception
