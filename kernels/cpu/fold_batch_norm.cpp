#include "kernels/cpu/backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/view.h"

#include <cmath>

namespace minception {

using namespace cpu;

void CpuBackend::fold_batch_norm(const FoldBatchNorm& op, Workspace) {
  const std::int64_t row = op.w.elements() / op.w.n();
  const float *w = values(op.w), *gamma = values(op.gamma), *beta = values(op.beta), *mean = values(op.running_mean),
              *var = values(op.running_var);
  auto* folded = op.folded_w.as<float>();
  auto* bias = op.folded_bias.as<float>();
  parallel(threads_, op.w.n(), op.w.elements(), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t o = begin; o < end; ++o) {
      const double scale = gamma[o] / std::sqrt(static_cast<double>(var[o]) + op.epsilon);
      const auto factor = static_cast<float>(scale);
      for (std::int64_t i = o * row; i < (o + 1) * row; ++i) folded[i] = w[i] * factor;
      bias[o] = static_cast<float>(beta[o] - mean[o] * scale);
    }
  });
}

}  // namespace minception
