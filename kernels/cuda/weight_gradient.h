#pragma once
/// Common code of weight gradients: convolutions, fused 1x1 convolutions and linear layers. dw = dy^T * x is a GEMM
/// whose k runs over pixels: few results and very many pixels, so the pixels are divided among blocks (split-K). Each
/// split stores its partial sums in the workspace, and a second kernel adds them in the order of the splits, so that
/// results depend on shapes and never on timing.
///
/// dbias, the column sums of dy, is computed by additional blocks of the same launch with the same splits.

#include "kernels/backend.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/vector.h"
#include "simt/cuda.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace minception::cuda {

/// Gradients of `rows` filters of `columns` weights each: an epilogue of gemm() (gemm.h). The destination is dw and
/// dbias themselves, or the workspace, which holds the partial sums of one split after the other.
struct WeightGradient {
  using Element = float;

  float* dw = nullptr;
  float* dbias = nullptr;  ///< nullptr: not computed
  int rows = 0, columns = 0;
  bool accumulate = false;
  bool vectorized = false;

  WeightGradient(float* weights, float* bias, int filters, int weights_per_filter, bool add)
      : dw(weights),
        dbias(bias),
        rows(filters),
        columns(weights_per_filter),
        accumulate(add),
        vectorized(columns % kElementsPerAccess<float> == 0 && reinterpret_cast<std::uintptr_t>(dw) % 16 == 0) {}

  template <int V>
  __device__ void store(int m, int n, FloatArray<V> sums) const {
    float* const to = dw + (static_cast<int>(blockIdx.z) * rows + m) * columns + n;
    if (accumulate) {
      const FloatArray<V> before = load<V>(to);
#pragma unroll
      for (int i = 0; i < V; ++i) sums[i] += before[i];
    }
    cuda::store<V>(to, sums);
  }
  __device__ void store_bias(int m, float sum) const {
    float* const to = dbias + static_cast<int>(blockIdx.z) * rows + m;
    *to = accumulate ? *to + sum : sum;
  }
};

/// Splits of a gradient's pixels and layout of their partial sums. Depends only on shapes; a smaller batch never needs
/// more workspace.
class WeightGradientPlan {
 public:
  /// Splits begin at multiples of kBlockK.
  static constexpr int kBlockK = 32;

  WeightGradientPlan(int filters, int weights_per_filter, int pixels)
      : filters_(filters), columns_(weights_per_filter) {
    // Splits of fewer than kMinPixels pixels cost more in partial sums than they save.
    constexpr int kTile = 64, kMinPixels = 256;
    const auto tiles = static_cast<int>(ceil_div(filters, kTile) * ceil_div(weights_per_filter, kTile));
    most_splits_ =
        static_cast<int>(std::max(1u, std::min(ceil_div(kTargetBlocks, tiles), ceil_div(pixels, kMinPixels))));
    const auto k_tiles = static_cast<int>(ceil_div(pixels, kBlockK));
    shape_ =
        GemmShape(filters, weights_per_filter, pixels, static_cast<int>(ceil_div(k_tiles, most_splits_)) * kBlockK);
  }

  const GemmShape& shape() const { return shape_; }
  std::size_t workspace_bytes() const {
    if (most_splits_ == 1) return 0;
    return sizeof(float) * static_cast<std::size_t>(most_splits_) * static_cast<std::size_t>(filters_ * (columns_ + 1));
  }
  /// Destination of the GEMM: `gradient` if there is one split, else the workspace.
  WeightGradient destination(const WeightGradient& gradient, Workspace workspace) const {
    if (shape_.splits() == 1) return gradient;
    auto* const parts = static_cast<float*>(workspace.data);
    return {parts, gradient.dbias != nullptr ? parts + shape_.splits() * filters_ * columns_ : nullptr, filters_,
            columns_, false};
  }

 private:
  int filters_, columns_;
  int most_splits_;
  GemmShape shape_{0, 0, 0};
};

/// Columns of dy that one block sums for dbias.
inline constexpr int kBiasColumns = 32;

template <class Mainloop>
dim3 weight_gradient_grid(const GemmShape& shape, const WeightGradient& destination) {
  dim3 grid = gemm_grid<Mainloop>(shape);
  if (destination.dbias != nullptr) grid.x += ceil_div(shape.m, kBiasColumns);
  return grid;
}

/// Sums kBiasColumns columns of dy over the pixels of this split. Each row of threads takes every kRows-th pixel, then
/// the first row adds up all rows.
template <int kThreads, class Dy>
__device__ __forceinline__ void sum_columns(const Dy& dy, int first_column, const WeightGradient& gradient,
                                            const GemmShape& shape) {
  constexpr int kRows = kThreads / kBiasColumns;
  SHARED(float, sums, [kRows][kBiasColumns]);
  const int lane = static_cast<int>(threadIdx.x) % kBiasColumns;
  const int row = static_cast<int>(threadIdx.x) / kBiasColumns;
  const int begin = static_cast<int>(blockIdx.z) * shape.k_per_block;
  const int end = shape.k - begin < shape.k_per_block ? shape.k : begin + shape.k_per_block;
  const auto column = dy.mn_index(first_column + lane);

  float sum = 0.0f;
#pragma unroll 4
  for (int pixel = begin + row; pixel < end; pixel += kRows) {
    const auto* const element = dy.at(column, dy.k_index(pixel));
    if (element != nullptr) sum += static_cast<float>(*element);
  }
  sums[row][lane] = sum;
  __syncthreads();
  if (row != 0 || first_column + lane >= shape.m) return;
  for (int other = 1; other < kRows; ++other) sum += sums[other][lane];
  gradient.store_bias(first_column + lane, sum);
}

/// Runs one block of weight_gradient_grid: a tile of dw, or in the blocks after the tiles, column sums for dbias.
template <class Mainloop, class Dy, class X>
__device__ __forceinline__ void weight_gradient(const Dy& dy, const X& x, const WeightGradient& gradient,
                                                const GemmShape& shape) {
  static_assert(WeightGradientPlan::kBlockK % Mainloop::kBlockK == 0);
  const int tiles =
      (shape.m + Mainloop::kBlockM - 1) / Mainloop::kBlockM * ((shape.n + Mainloop::kBlockN - 1) / Mainloop::kBlockN);
  const int beyond = static_cast<int>(blockIdx.x) - tiles;
  if (beyond < 0) {
    gemm<Mainloop>(dy, x, gradient, shape);
  } else {
    sum_columns<Mainloop::kThreads>(dy, beyond * kBiasColumns, gradient, shape);
  }
}

/// gradient (+)= sum of the `splits` partial sums in `parts`.
void add_weight_gradient_parts(const WeightGradient& parts, int splits, const WeightGradient& gradient,
                               cudaStream_t stream);

}  // namespace minception::cuda
