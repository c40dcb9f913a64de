/// Several 1x1 convolutions of one input, forward:  y[j] = x * w[rows of j]^T + bias[rows of j], then ReLU if asked.
///
/// One matrix product: a row per pixel, a column per filter of any member, k over the channels of x. Each pixel is read
/// once for all members; only the stores know where one ends and the next begins.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/gemm_dispatch.h>
#include <minception/kernels/cuda/gemm_operands.h>
#include <minception/kernels/cuda/gemm_results.h>
#include <minception/kernels/cuda/launch.h>

#include <algorithm>

namespace minception {
namespace cuda {

constexpr int kBlock = 256;

/// The formula for one member: one thread per element of y.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_1x1_group_forward_naive(View<const T> x, const float* w, const float* bias, View<T> y, bool relu) {
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

template <class Multiply, class T, int V>
__global__ void __launch_bounds__(Multiply::kThreads, Multiply::kBlocksPerProcessor)
    conv2d_1x1_group_forward_gemm(Matrix<T, V, true> x, Matrix<float, V, true> w, Outputs<T> y, GemmShape shape) {
  gemm<Multiply>(x, w, y, shape);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_1x1_group_forward(const Conv2d1x1GroupForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    View<const float> w = const_view<float>(op.w);
    const float* bias = values<const float>(op.bias);
    const Rung rung = rung_for<T>(options_);
    // As many members per product as `Outputs` names; an Inception block has three.
    const std::size_t most = rung == Rung::naive ? 1 : Outputs<T>::kMost;
    for (std::size_t first = 0; first < op.y.size(); first += most) {
      const std::size_t last = std::min(op.y.size(), first + most);
      Outputs<T> outputs(bias, op.relu, PixelOrder(x));
      int columns = 0;
      for (std::size_t j = first; j < last; ++j) {
        const View<T> y = view<T>(op.y[j]);
        outputs.set(static_cast<int>(j - first), columns, y);
        columns += y.c;
      }

      if (rung == Rung::naive) {
        const View<T> y = view<T>(op.y[first]);
        launch<conv2d_1x1_group_forward_naive<T>>(blocks_for(y.elements(), kBlock), kBlock, 0, stream_, x, w.data, bias,
                                                  y, op.relu);
      } else {
        const GemmShape shape(x.pixels(), columns, x.c);
        for_multiply<T>(
            rung, shape, [&](int v) { return divides(x, v) && divides(w, v); },
            [&]<class Multiply, int V>() {
              using Pixels = Matrix<T, V, true>;
              using Weights = Matrix<float, V, true>;
              launch<conv2d_1x1_group_forward_gemm<Multiply, T, V>>(
                  gemm_grid<Multiply>(shape), Multiply::kThreads, kGemmSharedBytes<Multiply, Pixels, Weights>, stream_,
                  pixel_matrix<V, true>(x), Weights{w.data, columns, x.c, x.c}, outputs, shape);
            });
      }
      w.data += columns * x.c;
      if (bias != nullptr) bias += columns;
    }
  });
}

}  // namespace minception
