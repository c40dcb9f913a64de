#pragma once
/// The product of a slab in f32 arithmetic: each thread keeps a tile of sums in registers and adds, for each k, the
/// outer product of a column of A and a row of B. 8 + kColumns floats are read from shared memory for 8 * kColumns
/// multiply-adds.

#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/cuda/vector.h>

namespace minception::cuda {

/// Tiled<4>: 64 x 64 results, Tiled<8>: 128 x 64.
template <int kColumns>
struct Tiled {
  using Stored = float;
  static constexpr int kThreads = 128;
  static constexpr int kRows = 8;  // of one thread
  static constexpr int kN = 64;
  static constexpr int kThreadsN = kN / kColumns;
  static constexpr int kM = kThreads / kThreadsN * kRows;
  static constexpr int kSlab = 16, kStages = 2;
  static constexpr int kBlocksPerProcessor = kColumns == 4 ? 4 : 3;
  static constexpr int kResultStride = kN + 4;

  /// Always one line per k, so that a thread reads its rows and columns as vectors. An operand whose memory runs along
  /// k is turned on the way in; 4 floats of padding leave two-way bank conflicts then.
  template <bool, int kOuter>
  struct Layout {
    static constexpr bool k_inner = false;
    static constexpr int stride = kOuter + 4;
  };

  template <class LayoutA, class LayoutB>
  __device__ __forceinline__ void multiply(const float* a, const float* b) {
    const float* const rows = a + row();
    const float* const columns = b + column(0);
#pragma unroll
    for (int k = 0; k < kSlab; ++k) {
      float x[kRows];
      float y[kColumns];
#pragma unroll
      for (int i = 0; i < kRows; i += 4) {
        const Floats<4> part = load<4>(rows + k * LayoutA::stride + i);
#pragma unroll
        for (int l = 0; l < 4; ++l) x[i + l] = part[l];
      }
#pragma unroll
      for (int j = 0; j < kColumns; j += 4) {
        const Floats<4> part = load<4>(columns + k * LayoutB::stride + j * kThreadsN);
#pragma unroll
        for (int l = 0; l < 4; ++l) y[j + l] = part[l];
      }
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kColumns; ++j) sums_[i][j] += x[i] * y[j];
      }
    }
  }

  __device__ __forceinline__ void write(float* tile) const {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; j += 4) {
        const Floats<4> part = {sums_[i][j], sums_[i][j + 1], sums_[i][j + 2], sums_[i][j + 3]};
        store<4>(tile + (row() + i) * kResultStride + column(j), part);
      }
    }
  }

 private:
  /// The first of a thread's rows, which are neighbours.
  static __device__ int row() { return static_cast<int>(threadIdx.x) / kThreadsN * kRows; }
  /// The column of its sum j: groups of 4, so far apart that those of all threads lie side by side.
  static __device__ int column(int j) { return static_cast<int>(threadIdx.x) % kThreadsN * 4 + j * kThreadsN; }

  float sums_[kRows][kColumns] = {};
};

}  // namespace minception::cuda
