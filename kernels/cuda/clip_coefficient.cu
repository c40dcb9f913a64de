/// Clip coefficient of the global gradient norm. Each block sums the squares of one chunk (norms.h), then one block
/// adds up all chunks. The optimizer kernel reads the coefficient from device memory, so the host does not wait.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/norms.h"

#include <cstddef>
#include <limits>
#include <vector>

namespace minception {
namespace cuda {

/// One block per chunk.
__global__ void __launch_bounds__(kNormsBlock)
    clip_coefficient_of_chunks(const float* g, NormTable table, PartialNorm* partials) {
  const PartialNorm sum = norms_of_chunk(g, table, static_cast<int>(blockIdx.x));
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

/// One block.
__global__ void __launch_bounds__(kNormsBlock)
    clip_coefficient_of_sums(const PartialNorm* partials, int chunks, double max_norm, float* factor) {
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

std::vector<ParameterGroup> training_groups(const std::vector<ParameterGroup>& groups) {
  std::vector<ParameterGroup> training;
  for (const ParameterGroup& group : groups) {
    if (group.trains) training.push_back(group);
  }
  return training;
}

}  // namespace

Requirements CudaBackend::needs(const ClipCoefficient& op) {
  std::size_t chunks = 0;
  for (const ParameterGroup& group : training_groups(op.groups)) {
    chunks += ceil_div(group.count, kNormsChunk);
  }
  return {chunks * sizeof(PartialNorm), 0};
}

void CudaBackend::clip_coefficient(const ClipCoefficient& op, Workspace workspace) {
  const float* g = view<float>(op.g).data;
  auto* const partials = static_cast<PartialNorm*>(workspace.data);
  const std::vector<ParameterGroup> groups = training_groups(op.groups);
  int chunks = 0;
  for (std::size_t first = 0; first < groups.size(); first += kNormsGroups) {
    NormTable table;
    for (std::size_t k = first; k < groups.size() && k < first + kNormsGroups; ++k) table.add(groups[k]);
    launch<clip_coefficient_of_chunks>(table.chunks(), kNormsBlock, 0, stream_, g, table, partials + chunks);
    chunks += table.chunks();
  }
  launch<clip_coefficient_of_sums>(1, kNormsBlock, 0, stream_, partials, chunks, op.max_norm, values<float>(op.factor));
}

}  // namespace minception
