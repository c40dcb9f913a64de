/// FoldBatchNorm: one block per output channel, whose weights are contiguous. It runs once per set of weights, so its
/// speed does not matter.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/view.h"

namespace minception {
namespace cuda {

constexpr int kFoldThreads = 128;

__global__ void __launch_bounds__(kFoldThreads)
    fold_batch_norm(const float* w, const float* gamma, const float* beta, const float* running_mean,
                    const float* running_var, float* folded_w, float* folded_bias, int row, float epsilon) {
  const int o = static_cast<int>(blockIdx.x);
  const float scale = gamma[o] / sqrtf(running_var[o] + epsilon);
  const std::int64_t begin = static_cast<std::int64_t>(o) * row;
  for (int i = static_cast<int>(threadIdx.x); i < row; i += kFoldThreads) {
    folded_w[begin + i] = w[begin + i] * scale;
  }
  if (threadIdx.x == 0) folded_bias[o] = beta[o] - running_mean[o] * scale;
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::fold_batch_norm(const FoldBatchNorm& op, Workspace) {
  launch<cuda::fold_batch_norm>(static_cast<int>(op.w.n()), kFoldThreads, 0, stream_, values<const float>(op.w),
                                values<const float>(op.gamma), values<const float>(op.beta),
                                values<const float>(op.running_mean), values<const float>(op.running_var),
                                values<float>(op.folded_w), values<float>(op.folded_bias),
                                static_cast<int>(op.w.elements() / op.w.n()), static_cast<float>(op.epsilon));
}

}  // namespace minception
