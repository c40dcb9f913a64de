/// Norms of the segments of a flat buffer, in two launches: blocks sum the squares of one chunk each, then one block
/// per segment adds up its chunks. Chunks and the order within a block are fixed, so the same run gives the same bits.
///
/// Squares are summed in double: that of a float may overflow where the norm does not. The kernels remain bound by
/// memory on a GPU with half-rate double arithmetic.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/view.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace minception {
namespace cuda {
namespace {

constexpr int kNormsBlock = 256;
constexpr int kNormsChunk = 32 * kNormsBlock;
/// Segments of one launch: the table of them is a kernel argument, and those hold 4 KiB.
constexpr int kNormsSegments = 128;

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
__device__ PartialNorm norms_block_sum(PartialNorm mine) {
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

}  // namespace

/// One block per chunk.
__global__ void __launch_bounds__(kNormsBlock)
    segment_norms_of_chunks(const float* x, NormTable table, PartialNorm* partials) {
  const int chunk = blockIdx.x;
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
  sum = norms_block_sum(sum);
  if (threadIdx.x == 0) partials[chunk] = sum;
}

/// One block per segment.
__global__ void __launch_bounds__(kNormsBlock)
    segment_norms_of_segments(const PartialNorm* partials, NormTable table, float* y) {
  const int segment = blockIdx.x;
  PartialNorm sum = {0.0, 0};
  for (int i = table.first_chunk[segment] + threadIdx.x; i < table.first_chunk[segment + 1]; i += kNormsBlock) {
    sum.squares += partials[i].squares;
    sum.not_finite += partials[i].not_finite;
  }
  sum = norms_block_sum(sum);
  if (threadIdx.x == 0) {
    y[2 * segment] = static_cast<float>(sqrt(sum.squares));
    y[2 * segment + 1] = static_cast<float>(sum.not_finite);
  }
}

}  // namespace cuda

using namespace cuda;

Requirements CudaBackend::needs(const SegmentNorms& op) {
  std::size_t chunks = 0;
  for (const ParameterSegment& segment : op.segments) chunks += blocks_for(segment.count, kNormsChunk);
  return {chunks * sizeof(PartialNorm), 0};
}

void CudaBackend::segment_norms(const SegmentNorms& op, Workspace workspace) {
  const float* x = view<float>(op.x).data;
  float* y = view<float>(op.y).data;
  auto* partials = static_cast<PartialNorm*>(workspace.data);
  for (std::size_t first = 0; first < op.segments.size(); first += kNormsSegments) {
    NormTable table;
    const std::size_t end = std::min(op.segments.size(), first + kNormsSegments);
    for (std::size_t k = first; k < end; ++k) table.add(op.segments[k]);
    launch<segment_norms_of_chunks>(table.chunks(), kNormsBlock, 0, stream_, x, table, partials);
    launch<segment_norms_of_segments>(table.segments, kNormsBlock, 0, stream_, partials, table, y);
    partials += table.chunks();
    y += 2 * table.segments;
  }
}

}  // namespace minception
