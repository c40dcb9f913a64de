#pragma once
/// Selects the algorithm and tile of convolutions and matrix products.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/gemm_fma.h"
#include "kernels/cuda/gemm_tensor_op.h"

#include <cstdint>
#include <type_traits>

namespace minception::cuda {

/// The algorithm for tensors of T, with `automatic` resolved: f32 tensors then use tensor cores only if `tf32` is set.
template <class T>
Algorithm algorithm_for(const CudaOptions& options) {
  if (options.algorithm != Algorithm::automatic) return options.algorithm;
  return std::is_same_v<T, bf16> || options.tf32 ? Algorithm::tensor_op : Algorithm::fma;
}

/// Calls f.operator()<Mainloop, V>() with the tile for a GEMM of T and its elements per access V: 16 bytes of shared
/// memory if `vectorizable(V)` is true, else 1.
template <class T, class Vectorizable, class F>
void for_mainloop(const CudaOptions& options, const GemmShape& shape, Vectorizable&& vectorizable, F&& f) {
  // A larger tile loads its operands less often, but must leave enough blocks for all multiprocessors.
  const auto fills = [&](const dim3& blocks) { return std::int64_t{blocks.x} * blocks.z >= options.blocks_to_fill; };
  if (algorithm_for<T>(options) == Algorithm::fma) {
    if (!vectorizable(4)) return f.template operator()<FmaMainloop<4>, 1>();
    if (fills(gemm_grid<FmaMainloop<8>>(shape))) return f.template operator()<FmaMainloop<8>, 4>();
    return f.template operator()<FmaMainloop<4>, 4>();
  }
  constexpr int V = kElementsPerAccess<T>;
  using Small = TensorOpMainloop<T, 2, 2, 2, 4>;   // 64 x 64
  using Narrow = TensorOpMainloop<T, 4, 1, 2, 4>;  // 128 x 32
  using Large = TensorOpMainloop<T, 2, 2, 4, 4>;   // 128 x 64
  if (!vectorizable(V)) return f.template operator()<Small, 1>();
  if (shape.n <= Narrow::kBlockN) return f.template operator()<Narrow, V>();
  // A weight gradient of few filters has fewer rows than a large tile.
  if (shape.m > Small::kBlockM && fills(gemm_grid<Large>(shape))) return f.template operator()<Large, V>();
  return f.template operator()<Small, V>();
}

}  // namespace minception::cuda
