/// What gradients are multiplied by to bound their norm: blocks sum the squares of one chunk each (norms.h), then one block
/// adds all chunks up. The host waits for nothing; the optimizer's kernel reads the factor.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/norms.h>

#include <cstddef>
#include <limits>
#include <vector>

namespace minception {
namespace cuda {

/// One block per chunk.
__global__ void __launch_bounds__(kNormsBlock)
    clip_factor_of_chunks(const float* g, NormTable table, PartialNorm* partials) {
  const PartialNorm sum = norms_of_chunk(g, table, static_cast<int>(blockIdx.x));
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

/// One block.
__global__ void __launch_bounds__(kNormsBlock)
    clip_factor_of_sums(const PartialNorm* partials, int chunks, double max_norm, float* factor) {
  PartialNorm sum = {0.0, 0};
  for (int i = threadIdx.x; i < chunks; i += kNormsBlock) {
    sum.squares += partials[i].squares;
    sum.not_finite += partials[i].not_finite;
  }
  sum = norms_block_sum(sum);
  if (threadIdx.x != 0) return;
  const double wanted = max_norm / (sqrt(sum.squares) + 1e-6);
  factor[0] =
      sum.not_finite > 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(wanted < 1.0 ? wanted : 1.0);
}

}  // namespace cuda

using namespace cuda;

namespace {

std::vector<ParameterSegment> training_segments(const std::vector<ParameterSegment>& segments) {
  std::vector<ParameterSegment> training;
  for (const ParameterSegment& segment : segments) {
    if (segment.trains) training.push_back(segment);
  }
  return training;
}

}  // namespace

Requirements CudaBackend::needs(const ClipFactor& op) {
  std::size_t chunks = 0;
  for (const ParameterSegment& segment : training_segments(op.segments)) {
    chunks += blocks_for(segment.count, kNormsChunk);
  }
  return {chunks * sizeof(PartialNorm), 0};
}

void CudaBackend::clip_factor(const ClipFactor& op, Workspace workspace) {
  const float* g = view<float>(op.g).data;
  auto* const partials = static_cast<PartialNorm*>(workspace.data);
  const std::vector<ParameterSegment> segments = training_segments(op.segments);
  int chunks = 0;
  for (std::size_t first = 0; first < segments.size(); first += kNormsSegments) {
    NormTable table;
    for (std::size_t k = first; k < segments.size() && k < first + kNormsSegments; ++k) table.add(segments[k]);
    launch<clip_factor_of_chunks>(table.chunks(), kNormsBlock, 0, stream_, g, table, partials + chunks);
    chunks += table.chunks();
  }
  launch<clip_factor_of_sums>(1, kNormsBlock, 0, stream_, partials, chunks, op.max_norm, values<float>(op.factor));
}

}  // namespace minception
