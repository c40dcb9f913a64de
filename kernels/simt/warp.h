#pragma once
/// Host twins of what a warp does together, and of asynchronous copies. Called by the wrappers of kernels/cuda/ptx.h and by
/// the shuffles of cuda.h; fragment layouts are described there.

#include <minception/kernels/simt/executor.h>

#include <bit>
#include <cstdint>

namespace minception::simt {

/// cp.async of 4, 8 or 16 bytes; zeros where `valid` is false.
void copy_async(void* shared, const void* global, unsigned bytes, bool valid, const Position& where);
void copy_async_commit();
/// Lands this thread's groups but the latest `pending`.
void copy_async_wait(unsigned pending);

/// `count` times ldmatrix.x4: fragments[4*k + j] of every lane from rows[k] of all lanes.
void load_matrices(std::uint32_t* fragments, const void* const* rows, unsigned count, bool transposed,
                   const Position& where);

/// c[mt][nt][4] += a[mt][4] * b[nt][2]: mt * nt times mma.sync m16n8k16 (bf16) or m16n8k8 (tf32).
void mma_tile(float* c, const std::uint32_t* a, const std::uint32_t* b, unsigned mt, unsigned nt, bool bf16,
              const Position& where);

/// cvt.rna.tf32.f32: to 10 bits of mantissa, to nearest, ties away from zero.
inline std::uint32_t to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits & 0x7fffffu ? 0x7fffffffu : bits;  // NaN: the canonical one
  return (bits + 0x1000u) & 0xffffe000u;
}

/// Each value becomes its sum over the lanes, in the butterfly order 16, 8, 4, 2, 1.
void warp_sum(float* values, unsigned count, const Position& where);
/// The largest value, NaN if there is one.
float warp_max(float value, const Position& where);

/// How a shuffle finds its source lane.
enum class Shuffle : std::uint8_t { index, up, down, exclusive_or };
std::uint32_t shuffle(std::uint32_t value, Shuffle kind, unsigned operand, unsigned width, unsigned mask,
                      const Position& where);
/// Bit i: whether lane i called with `predicate`.
unsigned ballot(bool predicate, unsigned mask, const Position& where);

}  // namespace minception::simt
