#pragma once
/// Which rung carries out a convolution or matrix product, and with which tile.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/gemm.h>
#include <minception/kernels/cuda/gemm_tensor_core.h>
#include <minception/kernels/cuda/gemm_tiled.h>

#include <cstdint>
#include <type_traits>

namespace minception::cuda {

/// The rung for tensors of T: never `automatic`. Tensor cores would round f32 tensors to tf32, so they are asked first.
template <class T>
Rung rung_for(const CudaOptions& options) {
  if (options.rung != Rung::automatic) return options.rung;
  return std::is_same_v<T, bf16> || options.tf32 ? Rung::tensor_core : Rung::tiled;
}

/// f.operator()<Multiply, V>() with the tile for a product of T and the vector width of its operands: elements in 16
/// bytes of shared memory if `fits(V)` says that all operands can be read so, else 1.
template <class T, class Fits, class F>
void for_multiply(Rung rung, const GemmShape& shape, Fits&& fits, F&& f) {
  // A larger tile reads its operands less often. It pays while there are blocks enough for every multiprocessor, two
  // for each of 132.
  const auto fills = [&](const dim3& blocks) { return std::int64_t{blocks.x} * blocks.z >= 264; };
  if (rung == Rung::tiled) {
    if (!fits(4)) return f.template operator()<Tiled<4>, 1>();
    if (fills(gemm_grid<Tiled<8>>(shape))) return f.template operator()<Tiled<8>, 4>();
    return f.template operator()<Tiled<4>, 4>();
  }
  constexpr int V = kWidest<T>;
  using Small = TensorCore<T, 2, 2, 2, 4>;   // 64 x 64
  using Narrow = TensorCore<T, 4, 1, 2, 4>;  // 128 x 32
  using Large = TensorCore<T, 2, 2, 4, 4>;   // 128 x 64
  if (!fits(V)) return f.template operator()<Small, 1>();
  if (shape.n <= Narrow::kN) return f.template operator()<Narrow, V>();
  // Gradients of few filters have fewer rows than a large tile.
  if (shape.m > Small::kM && fills(gemm_grid<Large>(shape))) return f.template operator()<Large, V>();
  return f.template operator()<Small, V>();
}

}  // namespace minception::cuda
