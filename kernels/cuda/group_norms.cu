/// Norms of parameter groups in two launches: each block sums the squares of one chunk (norms.h), then one block per
/// group adds up its chunks.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/norms.h"

#include <algorithm>
#include <cstddef>

namespace minception {
namespace cuda {

/// One block per chunk.
__global__ void __launch_bounds__(kNormsBlock)
    group_norms_partial(const float* x, NormTable table, PartialNorm* partials) {
  const PartialNorm sum = norms_of_chunk(x, table, static_cast<int>(blockIdx.x));
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

/// One block per group.
__global__ void __launch_bounds__(kNormsBlock)
    group_norms_final(const PartialNorm* partials, NormTable table, float* y) {
  const int group = blockIdx.x;
  PartialNorm sum = {0.0, 0};
  for (int i = table.first_chunk[group] + threadIdx.x; i < table.first_chunk[group + 1]; i += kNormsBlock) {
    sum.squares += partials[i].squares;
    sum.not_finite += partials[i].not_finite;
  }
  sum = norms_block_sum(sum);
  if (threadIdx.x == 0) {
    y[2 * group] = static_cast<float>(sqrt(sum.squares));
    y[2 * group + 1] = static_cast<float>(sum.not_finite);
  }
}

}  // namespace cuda

using namespace cuda;

Requirements CudaBackend::needs(const GroupNorms& op) {
  std::size_t chunks = 0;
  for (const ParameterGroup& group : op.groups) chunks += ceil_div(group.count, kNormsChunk);
  return {chunks * sizeof(PartialNorm), 0};
}

void CudaBackend::group_norms(const GroupNorms& op, Workspace workspace) {
  const float* x = view<float>(op.x).data;
  float* y = view<float>(op.y).data;
  auto* partials = static_cast<PartialNorm*>(workspace.data);
  for (std::size_t first = 0; first < op.groups.size(); first += kNormsGroups) {
    NormTable table;
    const std::size_t end = std::min(op.groups.size(), first + kNormsGroups);
    for (std::size_t k = first; k < end; ++k) table.add(op.groups[k]);
    launch<group_norms_partial>(table.chunks(), kNormsBlock, 0, stream_, x, table, partials);
    launch<group_norms_final>(table.groups, kNormsBlock, 0, stream_, partials, table, y);
    partials += table.chunks();
    y += 2 * table.groups;
  }
}

}  // namespace minception
