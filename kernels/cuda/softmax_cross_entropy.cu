/// Softmax cross-entropy, with the gradient of the logits in the same pass. One warp per sample. The losses of all
/// samples are added up in a fixed order: in the same launch if it has one block, else in a second launch.
///
/// A kernel cannot throw, so a label outside [0, K) sets the loss and the gradient of its sample to NaN.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ptx.h"
#include "kernels/cuda/vector.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace minception {
namespace cuda {
namespace {

constexpr int kMostThreads = 1024;

/// Adds the losses and correct counts of all samples to metrics. Called by one whole warp.
__device__ void add_to_metrics(const float* losses, const float* corrects, int samples, float* metrics) {
  float sums[2] = {};
  for (int n = threadIdx.x % 32; n < samples; n += 32) {
    sums[0] += losses[n];
    sums[1] += corrects[n];
  }
  warp_sum(sums);
  if (threadIdx.x % 32 == 0) {
    metrics[0] += sums[0];
    metrics[1] += sums[1];
  }
}

/// Launch dimensions. Few logits use a single block, which saves the second launch.
struct LossGrid {
  int blocks, threads;
};

LossGrid loss_grid(int samples, int classes) {
  constexpr std::int64_t kOneBlock = 8192;  // logits
  const bool one = std::int64_t{samples} * classes <= kOneBlock;
  const int warps = std::clamp(samples, 1, one ? kMostThreads / 32 : 4);
  return {one ? 1 : (samples + warps - 1) / warps, 32 * warps};
}

}  // namespace

struct CrossEntropy {
  const std::int32_t* labels;
  float* metrics;
  float* losses;    ///< one per sample
  float* corrects;  ///< one per sample, 1 or 0
  float on_label;   ///< 1 - label_smoothing
  float on_all;     ///< label_smoothing / K
  float factor;     ///< weight / divisor
};

template <class T>
__global__ void __launch_bounds__(kMostThreads)
    softmax_cross_entropy(View<const T> logits, View<T> dlogits, CrossEntropy op) {
  const int lane = threadIdx.x % 32;
  const int warps = blockDim.x / 32;
  const int classes = logits.c;
  for (int n = blockIdx.x * warps + threadIdx.x / 32; n < logits.n; n += gridDim.x * warps) {
    const T* row = logits.pixel(n);
    const int label = op.labels[n];
    const bool valid = label >= 0 && label < classes;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float first = static_cast<float>(row[0]);
    const float label_logit = valid ? static_cast<float>(row[label]) : nan;

    float largest = -std::numeric_limits<float>::infinity();
    for (int k = lane; k < classes; k += 32) {
      const auto logit = static_cast<float>(row[k]);
      largest = logit > largest ? logit : largest;
    }
    largest = warp_max(largest);

    // Sums of exp(logit - largest) and of logit - largest, and the number of classes that rank above the label: those
    // with a larger logit, or an equal one and a lower index.
    float sums[3] = {};
    for (int k = lane; k < classes; k += 32) {
      const auto logit = static_cast<float>(row[k]);
      sums[0] += expf(logit - largest);
      sums[1] += logit - largest;
      if (logit > label_logit || (logit == label_logit && k < label)) sums[2] += 1.0f;
    }
    warp_sum(sums);
    // Comparisons with NaN are false. As in a linear search from class 0, a NaN there is the maximum; others never are.
    const bool found = label == 0 || (first == first && label_logit == label_logit);
    const float log_sum = valid ? logf(sums[0]) : nan;  // log-sum-exp minus the largest logit
    if (lane == 0) {
      // A weight of 0 contributes 0, even if log p is infinite.
      float loss = 0.0f;
      if (op.on_label > 0.0f) loss += op.on_label * (log_sum - (label_logit - largest));
      if (op.on_all > 0.0f) loss += op.on_all * (static_cast<float>(classes) * log_sum - sums[1]);
      op.losses[n] = loss;
      op.corrects[n] = found && sums[2] == 0.0f ? 1.0f : 0.0f;
    }
    if (dlogits.data != nullptr) {
      T* gradients = dlogits.pixel(n);
      for (int k = lane; k < classes; k += 32) {
        const float p = expf(static_cast<float>(row[k]) - largest - log_sum);
        const float q = (k == label ? op.on_label : 0.0f) + op.on_all;
        gradients[k] = static_cast<T>(op.factor * (p - q));
      }
    }
  }
  if (gridDim.x > 1) return;
  __syncthreads();
  if (threadIdx.x < 32) add_to_metrics(op.losses, op.corrects, logits.n, op.metrics);
}

__global__ void softmax_cross_entropy_metrics(const float* losses, const float* corrects, int samples, float* metrics) {
  add_to_metrics(losses, corrects, samples, metrics);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::softmax_cross_entropy(const SoftmaxCrossEntropy& op, Workspace workspace) {
  auto* const losses = static_cast<float*>(workspace.data);
  const CrossEntropy parameters = {values<const std::int32_t>(op.labels),
                                   values<float>(op.metrics),
                                   losses,
                                   losses + static_cast<std::ptrdiff_t>(op.logits.n()),
                                   static_cast<float>(1.0 - op.label_smoothing),
                                   static_cast<float>(op.label_smoothing / static_cast<double>(op.logits.c())),
                                   static_cast<float>(op.weight / op.divisor)};
  for_dtype(op.logits, [&]<class T>() {
    const View<const T> logits = const_view<T>(op.logits);
    const View<T> dlogits = op.dlogits.defined() ? view<T>(op.dlogits) : View<T>{};
    const auto [blocks, threads] = loss_grid(logits.n, logits.c);
    launch<cuda::softmax_cross_entropy<T>>(blocks, threads, 0, stream_, logits, dlogits, parameters);
    if (blocks > 1) {
      launch<softmax_cross_entropy_metrics>(1, 32, 0, stream_, parameters.losses, parameters.corrects, logits.n,
                                            parameters.metrics);
    }
  });
}

Requirements CudaBackend::needs(const SoftmaxCrossEntropy& op) {
  return {2 * sizeof(float) * static_cast<std::size_t>(op.logits.n()), 0};
}

}  // namespace minception
