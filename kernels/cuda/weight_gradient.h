#pragma once
/// What the gradients of weights have in common, whether of a convolution, of a group of 1x1 convolutions or of a linear
/// layer. dw is a product dy^T * x whose k runs over pixels: there are few results and very many pixels, so the pixels are
/// divided among blocks (split-K). Each split stores sums of its own in the workspace, and a second kernel adds these up,
/// in the order of the splits, so that the bits depend on shapes and never on timing.
///
/// dbias, the sums of dy's columns, is computed by further blocks of the same launch and split in the same way.

#include <minception/kernels/backend.h>
#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/cuda/gemm.h>
#include <minception/kernels/cuda/vector.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace minception::cuda {

/// The gradients of `rows` filters of `columns` weights each: a Result of gemm() (gemm.h). Either dw and dbias themselves,
/// or the parts of them that splits leave in the workspace, one after the other.
struct WeightGradient {
  using Element = float;

  float* dw = nullptr;
  float* dbias = nullptr;  ///< or nullptr: not asked for
  int rows = 0, columns = 0;
  bool accumulate = false;
  bool wide = false;

  WeightGradient(float* weights, float* bias, int filters, int weights_per_filter, bool add)
      : dw(weights),
        dbias(bias),
        rows(filters),
        columns(weights_per_filter),
        accumulate(add),
        wide(columns % kWidest<float> == 0 && reinterpret_cast<std::uintptr_t>(dw) % 16 == 0) {}

  template <int V>
  __device__ void store(int m, int n, Floats<V> sums) const {
    float* const to = dw + (static_cast<int>(blockIdx.z) * rows + m) * columns + n;
    if (accumulate) {
      const Floats<V> before = load<V>(to);
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

/// Into how many splits the pixels of a gradient are divided, and what the splits leave where. A function of shapes
/// alone; a smaller batch never needs more workspace.
class WeightGradientPlan {
 public:
  /// Splits begin at multiples of it.
  static constexpr int kSlab = 32;

  WeightGradientPlan(int filters, int weights_per_filter, int pixels)
      : filters_(filters), columns_(weights_per_filter) {
    // Two blocks for each of 132 multiprocessors. But a split of fewer pixels than kFewest would move more sums than it
    // saves time.
    constexpr int kBlocks = 264, kTile = 64, kFewest = 256;
    const auto tiles = static_cast<int>(blocks_for(filters, kTile) * blocks_for(weights_per_filter, kTile));
    most_splits_ = static_cast<int>(std::max(1u, std::min(blocks_for(kBlocks, tiles), blocks_for(pixels, kFewest))));
    const auto slabs = static_cast<int>(blocks_for(pixels, kSlab));
    shape_ = GemmShape(filters, weights_per_filter, pixels, static_cast<int>(blocks_for(slabs, most_splits_)) * kSlab);
  }

  const GemmShape& shape() const { return shape_; }
  std::size_t workspace_bytes() const {
    if (most_splits_ == 1) return 0;
    return sizeof(float) * static_cast<std::size_t>(most_splits_) * static_cast<std::size_t>(filters_ * (columns_ + 1));
  }
  /// Where the product puts its sums: into `gradient` if there is one split.
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

template <class Multiply>
dim3 weight_gradient_grid(const GemmShape& shape, const WeightGradient& destination) {
  dim3 grid = gemm_grid<Multiply>(shape);
  if (destination.dbias != nullptr) grid.x += blocks_for(shape.m, kBiasColumns);
  return grid;
}

/// The sums of kBiasColumns columns of dy over the pixels of this split: each row of threads takes every kRows-th pixel,
/// then one row of them adds up what all rows found.
template <int kThreads, class Dy>
__device__ __forceinline__ void sum_columns(const Dy& dy, int first_column, const WeightGradient& gradient,
                                            const GemmShape& shape) {
  constexpr int kRows = kThreads / kBiasColumns;
  SHARED(float, sums, [kRows][kBiasColumns]);
  const int lane = static_cast<int>(threadIdx.x) % kBiasColumns;
  const int row = static_cast<int>(threadIdx.x) / kBiasColumns;
  const int begin = static_cast<int>(blockIdx.z) * shape.k_per_block;
  const int end = shape.k - begin < shape.k_per_block ? shape.k : begin + shape.k_per_block;
  const auto column = dy.outer(first_column + lane);

  float sum = 0.0f;
#pragma unroll 4
  for (int pixel = begin + row; pixel < end; pixel += kRows) {
    const auto* const element = dy.find(column, dy.inner(pixel));
    if (element != nullptr) sum += static_cast<float>(*element);
  }
  sums[row][lane] = sum;
  __syncthreads();
  if (row != 0 || first_column + lane >= shape.m) return;
  for (int other = 1; other < kRows; ++other) sum += sums[other][lane];
  gradient.store_bias(first_column + lane, sum);
}

/// What one block of weight_gradient_grid computes: a tile of dw, or, those beyond the tiles, sums of columns.
template <class Multiply, class Dy, class X>
__device__ __forceinline__ void weight_gradient(const Dy& dy, const X& x, const WeightGradient& gradient,
                                                const GemmShape& shape) {
  static_assert(WeightGradientPlan::kSlab % Multiply::kSlab == 0);
  const int tiles = (shape.m + Multiply::kM - 1) / Multiply::kM * ((shape.n + Multiply::kN - 1) / Multiply::kN);
  const int beyond = static_cast<int>(blockIdx.x) - tiles;
  if (beyond < 0) {
    gemm<Multiply>(dy, x, gradient, shape);
  } else {
    sum_columns<Multiply::kThreads>(dy, beyond * kBiasColumns, gradient, shape);
  }
}

/// gradient (+)= the sums of the parts that `splits` splits left in `parts`.
void add_weight_gradient_parts(const WeightGradient& parts, int splits, const WeightGradient& gradient,
                               cudaStream_t stream);

}  // namespace minception::cuda
