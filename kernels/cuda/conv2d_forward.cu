/// Convolution, forward:
///   y[n,p,q,o] = bias[o] + sum over (r,s,i) of
///                w[o,r,s,i] * x[n, p*stride.h + r - padding.h, q*stride.w + s - padding.w, i],  then ReLU if `relu`.
///
/// As a GEMM (gemm.h): m is the output pixel, n the output channel o, k is (r, s, i) in the memory order of weights. A
/// 1x1 convolution with stride 1 and no padding is forwarded to conv2d_fused_1x1_forward.cu.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm_dispatch.h"
#include "kernels/cuda/gemm_epilogues.h"
#include "kernels/cuda/gemm_iterators.h"
#include "kernels/cuda/launch.h"

namespace minception {
namespace cuda {

constexpr int kBlock = 256;

/// Direct evaluation of the formula: one thread per element of y.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_forward_naive(View<const T> x, const float* w, const float* bias, View<T> y, int filter_h, int filter_w,
                         ConvGeometry geometry, bool relu) {
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= y.elements()) return;
  const int o = index % y.c;
  const int pixel = index / y.c;
  const int image = pixel / (y.h * y.w);
  const int p = pixel / y.w % y.h;
  const int q = pixel % y.w;

  float sum = bias != nullptr ? bias[o] : 0.0f;
  for (int r = 0; r < filter_h; ++r) {
    const int row = p * geometry.stride_h + r - geometry.padding_h;
    if (row < 0 || row >= x.h) continue;
    for (int s = 0; s < filter_w; ++s) {
      const int column = q * geometry.stride_w + s - geometry.padding_w;
      if (column < 0 || column >= x.w) continue;
      const T* const channels = x.pixel(image, row, column);
      const float* const weights = w + ((o * filter_h + r) * filter_w + s) * x.c;
      for (int i = 0; i < x.c; ++i) sum += weights[i] * static_cast<float>(channels[i]);
    }
  }
  if (relu && sum < 0.0f) sum = 0.0f;
  y.pixel(pixel)[o] = static_cast<T>(sum);
}

template <class Mainloop, class T, int V>
__global__ void __launch_bounds__(Mainloop::kThreads, Mainloop::kMinBlocksPerSm)
    conv2d_forward_gemm(FpropActivationIterator<T, V> x, MatrixIterator<float, V, true> w, BiasReluEpilogue<T> y,
                        GemmShape shape) {
  gemm<Mainloop>(x, w, y, shape);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_forward(const Conv2dForward& op, Workspace workspace) {
  const Conv2dAttributes& attributes = op.attributes;
  const int filter_h = static_cast<int>(op.w.h());
  const int filter_w = static_cast<int>(op.w.w());
  if (is_pointwise(attributes, op.w) && options_.algorithm != Algorithm::naive) {
    Conv2dFused1x1Forward group;
    group.relu = attributes.relu;
    group.x = op.x;
    group.w = op.w;
    group.bias = op.bias;
    group.y = {op.y};
    return conv2d_fused_1x1_forward(group, workspace);
  }

  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const View<const float> w = const_view<float>(op.w);
    const float* const bias = values<const float>(op.bias);
    const ConvGeometry geometry(attributes);
    const Algorithm algorithm = algorithm_for<T>(options_);
    if (algorithm == Algorithm::naive) {
      launch<conv2d_forward_naive<T>>(ceil_div(y.elements(), kBlock), kBlock, 0, stream_, x, w.data, bias, y, filter_h,
                                      filter_w, geometry, attributes.relu);
      return;
    }

    const PixelOrder order(y);
    const FilterOrder filter(filter_h, filter_w, x.c);
    const GemmShape shape(order.pixels(), y.c, filter.count());
    BiasReluEpilogue<T> outputs(bias, attributes.relu, order);
    outputs.set(0, 0, y);
    for_mainloop<T>(
        options_, shape, [&](int v) { return is_vectorizable(x, v) && is_vectorizable(w, v); },
        [&]<class Mainloop, int V>() {
          using Weights = MatrixIterator<float, V, true>;
          launch<conv2d_forward_gemm<Mainloop, T, V>>(
              gemm_grid<Mainloop>(shape), Mainloop::kThreads,
              kGemmSharedBytes<Mainloop, FpropActivationIterator<T, V>, Weights>, stream_,
              FpropActivationIterator<T, V>{x, geometry, order, filter}, Weights{w.data, y.c, shape.k, shape.k},
              outputs, shape);
        });
  });
}

}  // namespace minception
