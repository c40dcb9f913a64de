#pragma once
/// Host implementations of warp-wide operations and asynchronous copies, for the wrappers of kernels/cuda/ptx.h and the
/// shuffles of cuda.h. ptx.h describes the fragment layouts.

#include "simt/executor.h"

#include <bit>
#include <cstdint>

namespace minception::simt {

/// cp.async of 4, 8 or 16 bytes; writes zeros if `valid` is false.
void copy_async(void* shared, const void* global, unsigned bytes, bool valid, const Position& where);
void copy_async_commit();
/// Completes all but this thread's latest `pending` groups.
void copy_async_wait(unsigned pending);

/// `count` ldmatrix.x4 instructions: fragments[4*k + j] of every lane from rows[k] of all lanes.
void load_matrices(std::uint32_t* fragments, const void* const* rows, unsigned count, bool transposed,
                   const Position& where);

/// c[mt][nt][4] += a[mt][4] * b[nt][2]: mt * nt instructions mma.sync m16n8k16 (bf16) or m16n8k8 (tf32).
void mma_tile(float* c, const std::uint32_t* a, const std::uint32_t* b, unsigned mt, unsigned nt, bool bf16,
              const Position& where);

/// Replaces each value by its sum over the lanes, in the butterfly order 16, 8, 4, 2, 1.
void warp_sum(float* values, unsigned count, const Position& where);
/// The maximum over the lanes; NaN if any value is NaN.
float warp_max(float value, const Position& where);

/// How a shuffle selects the source lane.
enum class Shuffle : std::uint8_t { index, up, down, exclusive_or };
std::uint32_t shuffle(std::uint32_t value, Shuffle kind, unsigned operand, unsigned width, unsigned mask,
                      const Position& where);
/// Bit i: the predicate of lane i.
unsigned ballot(bool predicate, unsigned mask, const Position& where);

}  // namespace minception::simt
