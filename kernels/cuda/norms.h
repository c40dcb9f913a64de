#pragma once
/// Sums of squares over the segments of a flat buffer, in chunks of fixed size: what segment_norms and clip_factor share.
/// Chunks and the order within a block are fixed, so the same run gives the same bits.
///
/// Squares are summed in double: that of a float may overflow where the norm does not. The kernels remain bound by
/// memory on a GPU with half-rate double arithmetic.

#include <minception/kernels/cuda/view.h>

#include <cmath>

namespace minception::cuda {

inline constexpr int kNormsBlock = 256;
inline constexpr int kNormsChunk = 32 * kNormsBlock;
/// Segments of one launch: the table of them is a kernel argument, and those hold 4 KiB.
inline constexpr int kNormsSegments = 128;

struct PartialNorm {
  double squares;
  int not_finite;
};

/// Where the segments of one launch lie in the buffer, and their chunks in the list of chunks.
struct NormTable {
  int segments = 0;
  int begin[kNormsSegments];
  int end[kNormsSegments];
  int first_chunk[kNormsSegments + 1] = {0};

  int chunks() const { return first_chunk[segments]; }
  void add(const ParameterSegment& segment) {
    begin[segments] = static_cast<int>(segment.begin);
    end[segments] = static_cast<int>(segment.begin + segment.count);
    first_chunk[segments + 1] = chunks() + static_cast<int>(blocks_for(segment.count, kNormsChunk));
    ++segments;
  }
  /// The segment that a chunk belongs to: the last one whose chunks begin at it or before.
  __device__ int segment_of(int chunk) const {
    int low = 0;
    int high = segments - 1;
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

/// The sum over the block, in thread 0.
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

/// The block's sum over its chunk, in thread 0.
__device__ inline PartialNorm norms_of_chunk(const float* x, const NormTable& table, int chunk) {
  const int segment = table.segment_of(chunk);
  const int begin = table.begin[segment] + (chunk - table.first_chunk[segment]) * kNormsChunk;
  const int left = table.end[segment] - begin;
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
