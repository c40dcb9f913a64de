/// Fused 1x1 convolutions that share an input, forward:
///   y[j] = x * w[rows of j]^T + bias[rows of j],  then ReLU if `relu`.
///
/// One GEMM: m is the pixel, n the filter of any member, k the channel of x. Each pixel is read once for all members;
/// only the epilogue separates the members.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm_dispatch.h"
#include "kernels/cuda/gemm_epilogues.h"
#include "kernels/cuda/gemm_iterators.h"
#include "kernels/cuda/launch.h"

#include <algorithm>

namespace minception {
namespace cuda {

constexpr int kBlock = 256;

/// Direct evaluation for one member: one thread per element of y.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_fused_1x1_forward_naive(View<const T> x, const float* w, const float* bias, View<T> y, bool relu) {
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= y.elements()) return;
  const int o = index % y.c;
  const int pixel = index / y.c;
  const T* const channels = x.pixel(pixel);
  const float* const weights = w + o * x.c;

  float sum = bias != nullptr ? bias[o] : 0.0f;
  for (int i = 0; i < x.c; ++i) sum += weights[i] * static_cast<float>(channels[i]);
  if (relu && sum < 0.0f) sum = 0.0f;
  y.pixel(pixel)[o] = static_cast<T>(sum);
}

template <class Mainloop, class T, int V>
__global__ void __launch_bounds__(Mainloop::kThreads, Mainloop::kMinBlocksPerSm)
    conv2d_fused_1x1_forward_gemm(MatrixIterator<T, V, true> x, MatrixIterator<float, V, true> w, BiasReluEpilogue<T> y,
                                  GemmShape shape) {
  gemm<Mainloop>(x, w, y, shape);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_fused_1x1_forward(const Conv2dFused1x1Forward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    View<const float> w = const_view<float>(op.w);
    const float* bias = values<const float>(op.bias);
    const Algorithm algorithm = algorithm_for<T>(options_);
    // Members per GEMM; an Inception block has three.
    const std::size_t most = algorithm == Algorithm::naive ? 1 : BiasReluEpilogue<T>::kMaxOutputs;
    for (std::size_t first = 0; first < op.y.size(); first += most) {
      const std::size_t last = std::min(op.y.size(), first + most);
      BiasReluEpilogue<T> outputs(bias, op.relu, PixelOrder(x));
      int columns = 0;
      for (std::size_t j = first; j < last; ++j) {
        const View<T> y = view<T>(op.y[j]);
        outputs.set(static_cast<int>(j - first), columns, y);
        columns += y.c;
      }

      if (algorithm == Algorithm::naive) {
        const View<T> y = view<T>(op.y[first]);
        launch<conv2d_fused_1x1_forward_naive<T>>(ceil_div(y.elements(), kBlock), kBlock, 0, stream_, x, w.data, bias,
                                                  y, op.relu);
      } else {
        const GemmShape shape(x.pixels(), columns, x.c);
        for_mainloop<T>(
            options_, shape, [&](int v) { return is_vectorizable(x, v) && is_vectorizable(w, v); },
            [&]<class Mainloop, int V>() {
              using Pixels = MatrixIterator<T, V, true>;
              using Weights = MatrixIterator<float, V, true>;
              launch<conv2d_fused_1x1_forward_gemm<Mainloop, T, V>>(
                  gemm_grid<Mainloop>(shape), Mainloop::kThreads, kGemmSharedBytes<Mainloop, Pixels, Weights>, stream_,
                  pixel_iterator<V, true>(x), Weights{w.data, columns, x.c, x.c}, outputs, shape);
            });
      }
      w.data += columns * x.c;
      if (bias != nullptr) bias += columns;
    }
  });
}

}  // namespace minception
