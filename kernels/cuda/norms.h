#pragma once
/// Sums of squares over groups of a flat buffer, in chunks of fixed size; used by group_norms and clip_coefficient.
/// Chunks and the order within a block are fixed, so results are reproducible bit for bit.
///
/// Squares are summed in double: the square of a float may overflow where the norm does not. The kernels remain
/// memory-bound on a GPU with half-rate double arithmetic.

#include "kernels/cuda/view.h"

#include <cmath>

namespace minception::cuda {

inline constexpr int kNormsBlock = 256;
inline constexpr int kNormsChunk = 32 * kNormsBlock;
/// Groups per launch: their table is a kernel argument, which is limited to 4 KiB.
inline constexpr int kNormsGroups = 128;

struct PartialNorm {
  double squares;
  int not_finite;
};

/// The groups of one launch: their ranges in the buffer and the index of their first chunk.
struct NormTable {
  int groups = 0;
  int begin[kNormsGroups];
  int end[kNormsGroups];
  int first_chunk[kNormsGroups + 1] = {0};

  int chunks() const { return first_chunk[groups]; }
  void add(const ParameterGroup& group) {
    begin[groups] = static_cast<int>(group.begin);
    end[groups] = static_cast<int>(group.begin + group.count);
    first_chunk[groups + 1] = chunks() + static_cast<int>(ceil_div(group.count, kNormsChunk));
    ++groups;
  }
  /// The group of a chunk: the last one whose first chunk is at or before it.
  __device__ int group_of(int chunk) const {
    int low = 0;
    int high = groups - 1;
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (first_chunk[middle] <= chunk) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
};

/// Sum over the block; valid in thread 0.
__device__ inline PartialNorm norms_block_sum(PartialNorm mine) {
  SHARED(double, squares, [kNormsBlock]);
  SHARED(int, not_finite, [kNormsBlock]);
  const int thread = threadIdx.x;
  squares[thread] = mine.squares;
  not_finite[thread] = mine.not_finite;
  for (int distance = kNormsBlock / 2; distance > 0; distance /= 2) {
    __syncthreads();
    if (thread < distance) {
      squares[thread] += squares[thread + distance];
      not_finite[thread] += not_finite[thread + distance];
    }
  }
  return {squares[thread], not_finite[thread]};
}

/// Sum over a chunk, by the whole block; valid in thread 0.
__device__ inline PartialNorm norms_of_chunk(const float* x, const NormTable& table, int chunk) {
  const int group = table.group_of(chunk);
  const int begin = table.begin[group] + (chunk - table.first_chunk[group]) * kNormsChunk;
  const int left = table.end[group] - begin;
  const int count = left < kNormsChunk ? left : kNormsChunk;
  PartialNorm sum = {0.0, 0};
#pragma unroll 4
  for (int i = threadIdx.x; i < count; i += kNormsBlock) {
    const float value = x[begin + i];
    sum.squares += static_cast<double>(value) * static_cast<double>(value);
    sum.not_finite += isfinite(value) ? 0 : 1;
  }
  return norms_block_sum(sum);
}

}  // namespace minception::cuda
