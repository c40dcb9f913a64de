#pragma once
/// The product of a slab on tensor cores: tf32 for f32 tensors, bf16 for bf16 tensors, sums in f32.
///
/// A warp computes 16*MT x 8*NT results. Per step along k (8 of tf32, 16 of bf16: 32 bytes) it loads the fragments of A
/// and B, one call each, and multiplies them in one call (ptx.h has the layouts). An operand lies in shared memory as
/// it lies in global memory, along k or across it; ldmatrix turns bf16 where needed, tf32 is gathered element by
/// element.

#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/cuda/ptx.h>
#include <minception/kernels/cuda/vector.h>

#include <cstdint>

namespace minception::cuda {

template <class T, int kWarpsM, int kWarpsN, int MT, int NT>
struct TensorCore {
  static_assert(NT % 2 == 0);
  using Stored = T;
  static constexpr int kM = 16 * MT * kWarpsM, kN = 8 * NT * kWarpsN, kSlab = 32;
  static constexpr int kStages = sizeof(T) == 2 ? 4 : 3;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kBlocksPerProcessor = 2;
  static constexpr int kResultStride = kN + 8;  // 4 rows of 8 sums, which half a warp writes at once, meet all banks

  /// Padding moves each line by 16 bytes (ldmatrix reads 8 lines of 16 bytes at once), or by 32 where 4 lines are read
  /// 8 floats each: every access then touches all 32 banks once.
  template <bool kInner, int kOuter>
  struct Layout {
    static constexpr bool k_inner = kInner;
    static constexpr int stride = kInner ? kSlab + 16 / static_cast<int>(sizeof(T)) : kOuter + 8;
  };

  template <class LayoutA, class LayoutB>
  __device__ __forceinline__ void multiply(const T* a, const T* b) {
    const T* const from_a = start<LayoutA, Along::m>(a, warp_m() * 16 * MT);
    const T* const from_b = start<LayoutB, Along::k>(b, warp_n() * 8 * NT);
#pragma unroll
    for (int k = 0; k < kSlab; k += kStep) {
      // Fragments of A, then pairs of fragments of B.
      std::uint32_t fragments[MT + NT / 2][4];
      std::uint32_t(&x)[MT][4] = reinterpret_cast<std::uint32_t(&)[MT][4]>(fragments[0]);
      std::uint32_t(&y)[NT / 2][4] = reinterpret_cast<std::uint32_t(&)[NT / 2][4]>(fragments[MT]);
      if constexpr (kMatrices<LayoutA> && kMatrices<LayoutB> && LayoutA::k_inner == LayoutB::k_inner) {
        const void* lines[MT + NT / 2];
#pragma unroll
        for (int i = 0; i < MT; ++i) lines[i] = from_a + offset<LayoutA>(16 * i, k);
#pragma unroll
        for (int j = 0; j < NT / 2; ++j) lines[MT + j] = from_b + offset<LayoutB>(16 * j, k);
        load_matrices<MT + NT / 2, !LayoutA::k_inner>(fragments, lines);
      } else {
        load_fragments<LayoutA, Along::m>(x, from_a, k);
        load_fragments<LayoutB, Along::k>(y, from_b, k);
      }
      if constexpr (sizeof(T) == 4) {
#pragma unroll
        for (auto& fragment : fragments) {
#pragma unroll
          for (std::uint32_t& value : fragment) value = to_tf32(__uint_as_float(value));
        }
      }
      mma_tile<T>(sums_, x, reinterpret_cast<std::uint32_t(&)[NT][2]>(y));
    }
  }

  __device__ __forceinline__ void write(float* tile) const {
    const int row = warp_m() * 16 * MT + lane() / 4;
    const int column = warp_n() * 8 * NT + lane() % 4 * 2;
#pragma unroll
    for (int i = 0; i < MT; ++i) {
#pragma unroll
      for (int j = 0; j < NT; ++j) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float* const to = tile + (row + 16 * i + 8 * half) * kResultStride + column + 8 * j;
          *reinterpret_cast<Packed<float, 2>*>(to) = {sums_[i][j][2 * half], sums_[i][j][2 * half + 1]};
        }
      }
    }
  }

 private:
  static constexpr int kStep = 32 / static_cast<int>(sizeof(T));

  static __device__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ int warp_m() { return static_cast<int>(threadIdx.x) / 32 / kWarpsN; }
  static __device__ int warp_n() { return static_cast<int>(threadIdx.x) / 32 % kWarpsN; }

  /// A fragment of A (16 x one step of k) and a pair of fragments of B (one step of k x 16) are four matrices of 8
  /// indices of m or n and half a step of k. The second one continues the first along m (A) or along k (B), the last
  /// two follow in the other direction.
  enum class Along { m, k };
  template <Along along>
  static __device__ __forceinline__ int half_of_outer(int matrix) {
    return along == Along::m ? matrix % 2 : matrix / 2;
  }
  template <Along along>
  static __device__ __forceinline__ int half_of_step(int matrix) {
    return along == Along::m ? matrix / 2 : matrix % 2;
  }

  /// Whether ldmatrix serves: it turns elements of 16 bits only.
  template <class Layout>
  static constexpr bool kMatrices = Layout::k_inner || sizeof(T) == 2;

  template <class Layout>
  static __device__ __forceinline__ int offset(int outer, int k) {
    return Layout::k_inner ? outer * Layout::stride + k : k * Layout::stride + outer;
  }

  /// Where this lane begins to read, at k = 0: the line of 16 bytes that it names to ldmatrix, along k, or along m or n
  /// to be turned; without ldmatrix the first element of its own.
  template <class Layout, Along along>
  static __device__ __forceinline__ const T* start(const T* tile, int first) {
    if constexpr (!kMatrices<Layout>) return tile + offset<Layout>(first + lane() / 4, lane() % 4);
    const int matrix = lane() / 8;
    const int outer = 8 * half_of_outer<along>(matrix) + (Layout::k_inner ? lane() % 8 : 0);
    const int inner = kStep / 2 * half_of_step<along>(matrix) + (Layout::k_inner ? 0 : lane() % 8);
    return tile + offset<Layout>(first + outer, inner);
  }

  template <class Layout, Along along, int Count>
  static __device__ __forceinline__ void load_fragments(std::uint32_t (&fragments)[Count][4], const T* from, int k) {
    if constexpr (kMatrices<Layout>) {
      const void* lines[Count];
#pragma unroll
      for (int i = 0; i < Count; ++i) lines[i] = from + offset<Layout>(16 * i, k);
      load_matrices<Count, !Layout::k_inner>(fragments, lines);
    } else {
#pragma unroll
      for (int i = 0; i < Count; ++i) {
#pragma unroll
        for (int matrix = 0; matrix < 4; ++matrix) {
          fragments[i][matrix] = __float_as_uint(from[offset<Layout>(16 * i + 8 * half_of_outer<along>(matrix),
                                                                     k + kStep / 2 * half_of_step<along>(matrix))]);
        }
      }
    }
  }

  float sums_[MT][NT][4] = {};
};

}  // namespace minception::cuda
