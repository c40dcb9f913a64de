/// Softmax cross-entropy: cuDNN's log-softmax, then our kernel for loss, correct count and gradient. One block, so that
/// the order of sums is fixed; a classifier has few logits.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/view.h"
#include "kernels/vendor/handles.h"

#include <limits>

namespace minception {
namespace cuda {

constexpr int kLossThreads = 256;

/// One thread per sample, then a tree over the threads. A label outside [0, K) makes its sample NaN.
template <class T>
__global__ void __launch_bounds__(kLossThreads)
    cross_entropy(View<const T> logits, View<const float> log_p, const std::int32_t* labels, float* metrics,
                  View<T> dlogits, float on_label, float on_all, float factor) {
  SHARED(float, losses, [kLossThreads]);
  SHARED(float, corrects, [kLossThreads]);
  const int thread = static_cast<int>(threadIdx.x);
  const int classes = logits.c;
  float loss = 0.0f, correct = 0.0f;
  for (int n = thread; n < logits.n; n += kLossThreads) {
    const int label = labels[n];
    const bool valid = label >= 0 && label < classes;
    const T* const row = logits.pixel(n);
    const float* const log_row = log_p.pixel(n);
    int largest = 0;
    float all = 0.0f;
    for (int k = 0; k < classes; ++k) {
      if (static_cast<float>(row[k]) > static_cast<float>(row[largest])) largest = k;
      all -= log_row[k];
      if (dlogits.data != nullptr) {
        const float q = (k == label ? on_label : 0.0f) + on_all;
        const float gradient = factor * (expf(log_row[k]) - q);
        dlogits.pixel(n)[k] = static_cast<T>(valid ? gradient : std::numeric_limits<float>::quiet_NaN());
      }
    }
    if (!valid) {
      loss = std::numeric_limits<float>::quiet_NaN();
      continue;
    }
    // A weight of 0 contributes 0, even if log p is infinite.
    if (on_label > 0.0f) loss -= on_label * log_row[label];
    if (on_all > 0.0f) loss += on_all * all;
    if (largest == label) correct += 1.0f;
  }
  losses[thread] = loss;
  corrects[thread] = correct;
  __syncthreads();
  for (int half = kLossThreads / 2; half > 0; half /= 2) {
    if (thread < half) {
      losses[thread] += losses[thread + half];
      corrects[thread] += corrects[thread + half];
    }
    __syncthreads();
  }
  if (thread == 0) {
    metrics[0] += losses[0];
    metrics[1] += corrects[0];
  }
}

}  // namespace cuda

using namespace cuda;

void VendorBackend::walk(const SoftmaxCrossEntropy& op, Walk& walk) {
  // In f32: the rounding error of log p in bf16 would exceed the tolerance of the gradient.
  const Tensor logits = dense(op.logits, DType::f32, walk);
  const Tensor log_p = stand_in(op.logits.shape, DType::f32, walk);
  if (!walk.works) return;
  const vendor::TensorDescriptor descriptor = vendor::describe(logits);
  vendor::check(vendor::libraries().cudnnSoftmaxForward(handles_->cudnn, CUDNN_SOFTMAX_LOG, CUDNN_SOFTMAX_MODE_INSTANCE,
                                                        &vendor::kOne, descriptor.get(), logits.data, &vendor::kZero,
                                                        descriptor.get(), log_p.data),
                "softmax_cross_entropy");
  for_dtype(op.logits, [&]<class T>() {
    launch<cross_entropy<T>>(1, kLossThreads, 0, stream(), const_view<T>(op.logits), const_view<float>(log_p),
                             values<const std::int32_t>(op.labels), values<float>(op.metrics),
                             op.dlogits.defined() ? view<T>(op.dlogits) : View<T>{},
                             static_cast<float>(1.0 - op.label_smoothing),
                             static_cast<float>(op.label_smoothing / static_cast<double>(op.logits.c())),
                             static_cast<float>(op.weight / op.divisor));
  });
}

void VendorBackend::softmax_cross_entropy(const SoftmaxCrossEntropy& op, Workspace workspace) { work(op, workspace); }

}  // namespace minception
