#pragma once
/// Mainloop in f32 arithmetic: each thread keeps a tile of accumulators in registers and adds, for each k, the outer
/// product of a column of A and a row of B: 8 + kColumns shared-memory loads for 8 * kColumns multiply-adds.

#include "kernels/cuda/vector.h"
#include "simt/cuda.h"

namespace minception::cuda {

/// FmaMainloop<4>: 64x64 tile, FmaMainloop<8>: 128x64.
template <int kColumns>
struct FmaMainloop {
  using Stored = float;
  static constexpr int kThreads = 128;
  static constexpr int kRows = 8;  // per thread
  static constexpr int kBlockN = 64;
  static constexpr int kThreadsN = kBlockN / kColumns;
  static constexpr int kBlockM = kThreads / kThreadsN * kRows;
  static constexpr int kBlockK = 16, kStages = 2;
  static constexpr int kMinBlocksPerSm = kColumns == 4 ? 4 : 3;
  static constexpr int kEpilogueStride = kBlockN + 4;

  /// Always MN-major, so that a thread loads its rows and columns as vectors. K-major operands are transposed when
  /// stored; the 4 floats of padding limit bank conflicts of these stores to two-way.
  template <bool, int kExtentMn>
  struct Layout {
    static constexpr bool k_major = false;
    static constexpr int stride = kExtentMn + 4;
  };

  template <class LayoutA, class LayoutB>
  __device__ __forceinline__ void multiply(const float* a, const float* b) {
    const float* const rows = a + row();
    const float* const columns = b + column(0);
#pragma unroll
    for (int k = 0; k < kBlockK; ++k) {
      float x[kRows];
      float y[kColumns];
#pragma unroll
      for (int i = 0; i < kRows; i += 4) {
        const FloatArray<4> part = load<4>(rows + k * LayoutA::stride + i);
#pragma unroll
        for (int l = 0; l < 4; ++l) x[i + l] = part[l];
      }
#pragma unroll
      for (int j = 0; j < kColumns; j += 4) {
        const FloatArray<4> part = load<4>(columns + k * LayoutB::stride + j * kThreadsN);
#pragma unroll
        for (int l = 0; l < 4; ++l) y[j + l] = part[l];
      }
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kColumns; ++j) accumulators_[i][j] += x[i] * y[j];
      }
    }
  }

  __device__ __forceinline__ void store_accumulators(float* tile) const {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; j += 4) {
        const FloatArray<4> part = {accumulators_[i][j], accumulators_[i][j + 1], accumulators_[i][j + 2],
                                    accumulators_[i][j + 3]};
        store<4>(tile + (row() + i) * kEpilogueStride + column(j), part);
      }
    }
  }

 private:
  /// First of the thread's kRows consecutive rows.
  static __device__ int row() { return static_cast<int>(threadIdx.x) / kThreadsN * kRows; }
  /// Column of accumulator j: groups of 4 columns, interleaved with those of the other threads.
  static __device__ int column(int j) { return static_cast<int>(threadIdx.x) % kThreadsN * 4 + j * kThreadsN; }

  float accumulators_[kRows][kColumns] = {};
};

}  // namespace minception::cuda
