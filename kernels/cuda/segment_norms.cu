/// Norms of the segments of a flat buffer, in two launches: blocks sum the squares of one chunk each (norms.h), then one
/// block per segment adds up its chunks.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/norms.h>

#include <algorithm>
#include <cstddef>

namespace minception {
namespace cuda {

/// One block per chunk.
__global__ void __launch_bounds__(kNormsBlock)
    segment_norms_of_chunks(const float* x, NormTable table, PartialNorm* partials) {
  const PartialNorm sum = norms_of_chunk(x, table, static_cast<int>(blockIdx.x));
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
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
