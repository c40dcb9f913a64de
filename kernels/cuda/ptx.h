#pragma once
/// Wrappers of instructions that CUDA C++ does not expose, each with the host version that the emulation runs. Fragment
/// layouts are those of the PTX ISA, "Matrix multiply-accumulate operation using mma instruction".
///
/// All 32 lanes must call warp-wide functions in uniform control flow. Under emulation such a call switches through all
/// lanes, so the tile forms (`mma_tile`, `load_matrices`, `warp_sum` of several values) do as much as possible per
/// call.

#include "core/dtype.h"
#include "simt/cuda.h"

#include <cstdint>

#if defined(__CUDACC__)
#define MINCEPTION_WHERE
#else
#include "simt/warp.h"
/// Source location of the caller, for the emulation's reports.
#define MINCEPTION_WHERE , const std::source_location& where = std::source_location::current()
#endif

namespace minception::cuda {

inline constexpr unsigned kFullWarp = 0xffffffffu;

#if defined(__CUDACC__)
__device__ __forceinline__ std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}
#endif

// ---- asynchronous copies from global to shared memory ---------------------------------------------------------------

/// Copies Bytes (4, 8 or 16; both addresses aligned to Bytes). If `valid` is false it writes zeros and does not read
/// `global`. The copy may complete at any time until this thread's `cp_async_wait`.
template <int Bytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, bool valid = true MINCEPTION_WHERE) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#if defined(__CUDACC__)
  const int bytes = valid ? Bytes : 0;
  if constexpr (Bytes == 16) {  // bypasses L1: tiles are read once per block
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)), "l"(global),
                 "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(shared_address(shared)), "l"(global),
                 "n"(Bytes), "r"(bytes)
                 : "memory");
  }
#else
  simt::copy_async(shared, global, Bytes, valid, where);
#endif
}

/// Commits this thread's copies since the last commit as one group.
__device__ __forceinline__ void cp_async_commit() {
#if defined(__CUDACC__)
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#else
  simt::copy_async_commit();
#endif
}

/// Waits until all but this thread's latest `Pending` groups are complete. Other threads see the copies after a
/// barrier.
template <int Pending>
__device__ __forceinline__ void cp_async_wait() {
#if defined(__CUDACC__)
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending) : "memory");
#else
  simt::copy_async_wait(Pending);
#endif
}

// ---- fragments from shared memory -----------------------------------------------------------------------------------

/// ldmatrix.x4: four 8x8 matrices of 16-bit elements. Lane 8*j + i passes the address of row i of matrix j (16 bytes,
/// aligned). In fragment[j] lane l receives elements 2*(l%4) and 2*(l%4)+1 of row l/4 of matrix j, or of column l/4 if
/// `Transposed`. Untransposed, it also loads 8x4 matrices of 32-bit elements.
/// Runs Count loads: rows[k] fills fragments[k].
template <int Count, bool Transposed = false>
__device__ __forceinline__ void load_matrices(std::uint32_t (&fragments)[Count][4],
                                              const void* const (&rows)[Count] MINCEPTION_WHERE) {
#if defined(__CUDACC__)
#pragma unroll
  for (int k = 0; k < Count; ++k) {
    std::uint32_t(&f)[4] = fragments[k];
    if constexpr (Transposed) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                   : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
                   : "r"(shared_address(rows[k]))
                   : "memory");
    } else {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                   : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
                   : "r"(shared_address(rows[k]))
                   : "memory");
    }
  }
#else
  simt::load_matrices(&fragments[0][0], rows, Count, Transposed, where);
#endif
}

// ---- matrix products of one warp ------------------------------------------------------------------------------------

/// float -> tf32 (10 bits of mantissa), rounded to nearest, ties away from zero; NaN stays NaN. Returned as the bits of a
/// float. Not `cvt.rna.tf32.f32`, which clears the lower 13 bits of a NaN too: 0x7f800001 becomes infinity. x + x, which
/// makes such a NaN quiet, is one instruction more than the three that ptxas makes of the cvt.
__device__ __forceinline__ std::uint32_t to_tf32(float value) {
  const bool finite = fabsf(value) < __uint_as_float(0x7f800000u);
  return (finite ? __float_as_uint(value) + 0x1000u : __float_as_uint(value + value)) & 0xffffe000u;
}

/// Two floats as bf16, rounded to nearest even: `low` in the lower half.
__device__ __forceinline__ std::uint32_t pack_bf16(float low, float high) {
#if defined(__CUDACC__)
  std::uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
#else
  return static_cast<std::uint32_t>(bf16(low).bits) | static_cast<std::uint32_t>(bf16(high).bits) << 16;
#endif
}

/// C += A * B for MT x NT tiles of 16 x 8 accumulators, over one k-step: 8 elements of tf32, 16 of bf16.
/// With g = lane / 4 and t = lane % 4:
///   c[i][j]: C[16i + g][8j + 2t], [..][8j + 2t + 1], C[16i + g + 8][8j + 2t], [..][8j + 2t + 1]
///   tf32  a[i]: A[16i + g][t], A[16i + g + 8][t], A[16i + g][t + 4], A[16i + g + 8][t + 4]
///         b[j]: B[t][8j + g], B[t + 4][8j + g]
///   bf16  a[i]: A[16i + g][2t, 2t+1], A[16i + g + 8][2t, 2t+1], A[16i + g][2t+8, 2t+9], A[16i + g + 8][2t+8, 2t+9]
///         b[j]: B[2t, 2t+1][8j + g], B[2t+8, 2t+9][8j + g]        (the lower index in the lower half of the register)
/// T is float (for tf32) or bf16. The accumulators are f32; the internal rounding of the hardware is unspecified.
template <class T, int MT, int NT>
__device__ __forceinline__ void mma_tile(float (&c)[MT][NT][4], const std::uint32_t (&a)[MT][4],
                                         const std::uint32_t (&b)[NT][2] MINCEPTION_WHERE) {
#if defined(__CUDACC__)
#pragma unroll
  for (int i = 0; i < MT; ++i) {
#pragma unroll
    for (int j = 0; j < NT; ++j) {
      float(&d)[4] = c[i][j];
      if constexpr (sizeof(T) == 2) {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
            "{%0,%1,%2,%3};\n"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]), "r"(b[j][0]), "r"(b[j][1]));
      } else {
        asm volatile(
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
            "{%0,%1,%2,%3};\n"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]), "r"(b[j][0]), "r"(b[j][1]));
      }
    }
  }
#else
  simt::mma_tile(&c[0][0][0], &a[0][0], &b[0][0], MT, NT, sizeof(T) == 2, where);
#endif
}

// ---- reductions over a warp -----------------------------------------------------------------------------------------

/// Replaces each value by its sum over the 32 lanes: pairs at distance 16, 8, 4, 2, 1, same bits in all lanes.
template <int Count>
__device__ __forceinline__ void warp_sum(float (&values)[Count] MINCEPTION_WHERE) {
#if defined(__CUDACC__)
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
#pragma unroll
    for (int k = 0; k < Count; ++k) values[k] += __shfl_xor_sync(kFullWarp, values[k], distance);
  }
#else
  simt::warp_sum(values, Count, where);
#endif
}
__device__ __forceinline__ float warp_sum(float value MINCEPTION_WHERE) {
  float values[1] = {value};
#if defined(__CUDACC__)
  warp_sum(values);
#else
  warp_sum(values, where);
#endif
  return values[0];
}

/// The maximum over the 32 lanes; NaN if any value is NaN.
__device__ __forceinline__ float warp_max(float value MINCEPTION_WHERE) {
#if defined(__CUDACC__)
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const float other = __shfl_xor_sync(kFullWarp, value, distance);
    value = other > value || other != other ? other : value;
  }
  return value;
#else
  return simt::warp_max(value, where);
#endif
}

}  // namespace minception::cuda
