/// Second kernel of a split-K weight gradient: adds up the partial sums in the workspace.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/weight_gradient.h"

namespace minception::cuda {

namespace {
constexpr int kBlock = 256;
}  // namespace

/// One column of kRows threads per element of dw, then of dbias. Each thread sums every kRows-th split; the first
/// thread adds up the column.
template <int kRows>
__global__ void __launch_bounds__(kBlock)
    weight_gradient_sum(WeightGradient parts, int splits, WeightGradient gradient) {
  constexpr int kColumns = kBlock / kRows;
  const int column = static_cast<int>(threadIdx.x) % kColumns;
  const int row = static_cast<int>(threadIdx.x) / kColumns;
  const int weights = gradient.rows * gradient.columns;
  const int all = weights + (gradient.dbias != nullptr ? gradient.rows : 0);
  const int index = static_cast<int>(blockIdx.x) * kColumns + column;

  const bool bias = index >= weights;
  const float* const part = bias ? parts.dbias + (index - weights) : parts.dw + index;
  const int stride = bias ? gradient.rows : weights;
  float sum = 0.0f;
  if (index < all) {
#pragma unroll 4
    for (int split = row; split < splits; split += kRows) sum += part[split * stride];
  }
  if constexpr (kRows > 1) {
    SHARED(float, sums, [kRows][kColumns]);
    sums[row][column] = sum;
    __syncthreads();
    if (row == 0) {
      for (int other = 1; other < kRows; ++other) sum += sums[other][column];
    }
  }
  if (row != 0 || index >= all) return;
  float* const to = bias ? gradient.dbias + (index - weights) : gradient.dw + index;
  *to = gradient.accumulate ? *to + sum : sum;
}

void add_weight_gradient_parts(const WeightGradient& parts, int splits, const WeightGradient& gradient,
                               cudaStream_t stream) {
  const int all = gradient.rows * (gradient.columns + (gradient.dbias != nullptr ? 1 : 0));
  // Many splits mean few elements: several threads per element keep the GPU busy.
  if (splits > 8) {
    launch<weight_gradient_sum<8>>(ceil_div(all, kBlock / 8), kBlock, 0, stream, parts, splits, gradient);
  } else {
    launch<weight_gradient_sum<1>>(ceil_div(all, kBlock), kBlock, 0, stream, parts, splits, gradient);
  }
}

}  // namespace minception::cuda
