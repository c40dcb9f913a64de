#pragma once
/// Mainloop on tensor cores: tf32 for f32 tensors, bf16 for bf16 tensors, accumulators in f32.
///
/// A warp computes a 16*MT x 8*NT tile. Per k-step (8 tf32 or 16 bf16 elements: 32 bytes) it loads the fragments of A
/// and B and multiplies them (ptx.h documents the fragment layouts). Shared memory keeps the majorness of global
/// memory: ldmatrix transposes bf16 where needed; MN-major tf32 is loaded element by element.

#include "kernels/cuda/ptx.h"
#include "kernels/cuda/vector.h"
#include "simt/cuda.h"

#include <cstdint>

namespace minception::cuda {

template <class T, int kWarpsM, int kWarpsN, int MT, int NT>
struct TensorOpMainloop {
  static_assert(NT % 2 == 0);
  using Stored = T;
  static constexpr int kBlockM = 16 * MT * kWarpsM, kBlockN = 8 * NT * kWarpsN, kBlockK = 32;
  static constexpr int kStages = sizeof(T) == 2 ? 4 : 3;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kMinBlocksPerSm = 2;
  static constexpr int kEpilogueStride = kBlockN + 8;  // half a warp stores 4 rows of 8 floats: all banks

  /// No access has bank conflicts: rows are padded by 16 bytes, as ldmatrix reads 8 rows of 16 bytes at once, or by 32
  /// bytes where 4 rows of 8 floats are read.
  template <bool kKMajor, int kExtentMn>
  struct Layout {
    static constexpr bool k_major = kKMajor;
    static constexpr int stride = kKMajor ? kBlockK + 16 / static_cast<int>(sizeof(T)) : kExtentMn + 8;
  };

  template <class LayoutA, class LayoutB>
  __device__ __forceinline__ void multiply(const T* a, const T* b) {
    const T* const from_a = start<LayoutA, SecondMatrix::m>(a, warp_m() * 16 * MT);
    const T* const from_b = start<LayoutB, SecondMatrix::k>(b, warp_n() * 8 * NT);
#pragma unroll
    for (int k = 0; k < kBlockK; k += kStep) {
      // Fragments of A, then of B in pairs.
      std::uint32_t fragments[MT + NT / 2][4];
      std::uint32_t(&x)[MT][4] = reinterpret_cast<std::uint32_t(&)[MT][4]>(fragments[0]);
      std::uint32_t(&y)[NT / 2][4] = reinterpret_cast<std::uint32_t(&)[NT / 2][4]>(fragments[MT]);
      if constexpr (kLdmatrix<LayoutA> && kLdmatrix<LayoutB> && LayoutA::k_major == LayoutB::k_major) {
        const void* rows[MT + NT / 2];
#pragma unroll
        for (int i = 0; i < MT; ++i) rows[i] = from_a + offset<LayoutA>(16 * i, k);
#pragma unroll
        for (int j = 0; j < NT / 2; ++j) rows[MT + j] = from_b + offset<LayoutB>(16 * j, k);
        load_matrices<MT + NT / 2, !LayoutA::k_major>(fragments, rows);
      } else {
        load_fragments<LayoutA, SecondMatrix::m>(x, from_a, k);
        load_fragments<LayoutB, SecondMatrix::k>(y, from_b, k);
      }
      if constexpr (sizeof(T) == 4) {
#pragma unroll
        for (auto& fragment : fragments) {
#pragma unroll
          for (std::uint32_t& value : fragment) value = to_tf32(__uint_as_float(value));
        }
      }
      mma_tile<T>(accumulators_, x, reinterpret_cast<std::uint32_t(&)[NT][2]>(y));
    }
  }

  __device__ __forceinline__ void store_accumulators(float* tile) const {
    const int row = warp_m() * 16 * MT + lane() / 4;
    const int column = warp_n() * 8 * NT + lane() % 4 * 2;
#pragma unroll
    for (int i = 0; i < MT; ++i) {
#pragma unroll
      for (int j = 0; j < NT; ++j) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float* const to = tile + (row + 16 * i + 8 * half) * kEpilogueStride + column + 8 * j;
          *reinterpret_cast<AlignedArray<float, 2>*>(to) = {accumulators_[i][j][2 * half],
                                                            accumulators_[i][j][2 * half + 1]};
        }
      }
    }
  }

 private:
  static constexpr int kStep = 32 / static_cast<int>(sizeof(T));

  static __device__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ int warp_m() { return static_cast<int>(threadIdx.x) / 32 / kWarpsN; }
  static __device__ int warp_n() { return static_cast<int>(threadIdx.x) / 32 % kWarpsN; }

  /// A fragment of A (16 x one k-step) and two fragments of B (one k-step x 16) are four 8x8 matrices of 8 mn indices
  /// and half a k-step each. Matrix 1 follows matrix 0 along m (A) or k (B); matrices 2 and 3 follow in the other
  /// direction.
  enum class SecondMatrix { m, k };
  template <SecondMatrix second>
  static __device__ __forceinline__ int mn_half(int matrix) {
    return second == SecondMatrix::m ? matrix % 2 : matrix / 2;
  }
  template <SecondMatrix second>
  static __device__ __forceinline__ int k_half(int matrix) {
    return second == SecondMatrix::m ? matrix / 2 : matrix % 2;
  }

  /// Whether ldmatrix can load the operand: it transposes 16-bit elements only.
  template <class Layout>
  static constexpr bool kLdmatrix = Layout::k_major || sizeof(T) == 2;

  template <class Layout>
  static __device__ __forceinline__ int offset(int mn, int k) {
    return Layout::k_major ? mn * Layout::stride + k : k * Layout::stride + mn;
  }

  /// This lane's address at k = 0: its 16-byte row for ldmatrix, or its first element without ldmatrix.
  template <class Layout, SecondMatrix second>
  static __device__ __forceinline__ const T* start(const T* tile, int first) {
    if constexpr (!kLdmatrix<Layout>) return tile + offset<Layout>(first + lane() / 4, lane() % 4);
    const int matrix = lane() / 8;
    const int mn = 8 * mn_half<second>(matrix) + (Layout::k_major ? lane() % 8 : 0);
    const int k = kStep / 2 * k_half<second>(matrix) + (Layout::k_major ? 0 : lane() % 8);
    return tile + offset<Layout>(first + mn, k);
  }

  template <class Layout, SecondMatrix second, int Count>
  static __device__ __forceinline__ void load_fragments(std::uint32_t (&fragments)[Count][4], const T* from, int k) {
    if constexpr (kLdmatrix<Layout>) {
      const void* rows[Count];
#pragma unroll
      for (int i = 0; i < Count; ++i) rows[i] = from + offset<Layout>(16 * i, k);
      load_matrices<Count, !Layout::k_major>(fragments, rows);
    } else {
#pragma unroll
      for (int i = 0; i < Count; ++i) {
#pragma unroll
        for (int matrix = 0; matrix < 4; ++matrix) {
          fragments[i][matrix] = __float_as_uint(
              from[offset<Layout>(16 * i + 8 * mn_half<second>(matrix), k + kStep / 2 * k_half<second>(matrix))]);
        }
      }
    }
  }

  float accumulators_[MT][NT][4] = {};
};

}  // namespace minception::cuda
