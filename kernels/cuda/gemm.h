#pragma once
/// Tiled GEMM of all convolutions and matrix products:  D[m][n] = sum over k of A[m][k] * B[k][n].
///
/// A block computes a tile of kBlockM x kBlockN. It loops over k in k-tiles of kBlockK: a pipeline of kStages k-tiles
/// in shared memory overlaps loads from global memory with the math, with one barrier per k-tile. A kernel instantiates
/// gemm() with four types:
///
/// - Iterators A and B (gemm_iterators.h) map an (mn, k) position to global memory: a matrix, or the input pixels under
///   a convolution's window (implicit GEMM: the im2col matrix is never stored).
///     using Element                     float or bf16
///     static constexpr int V            elements per access: contiguous, aligned to min(16, V * sizeof(Element))
///                                       bytes, and all inside or all outside
///     static constexpr bool k_major     contiguous elements differ in k (true), or in m or n (false)
///     MnIndex mn_index(int index)       decoded index of m or n; also for an index past the end
///     KIndex k_index(int k)             decoded index of k; also for an index past the end
///     const Element* at(MnIndex, KIndex)    the element, or nullptr where it is 0: padding, or past the end
///   A thread keeps its MnIndex values and combines each with a sequence of KIndex values, so expensive decoding
///   belongs in mn_index().
///
/// - Mainloop: FmaMainloop (gemm_fma.h) in f32, or TensorOpMainloop (gemm_tensor_op.h).
///     using Stored                      float or bf16, the type in shared memory
///     static constexpr int kBlockM, kBlockN, kBlockK, kStages, kThreads, kMinBlocksPerSm
///     template <bool k_major, int kExtentMn> using Layout     shared-memory layout of an operand: k_major (may differ
///                                       from the iterator's), row stride
///     void multiply<LayoutA, LayoutB>(const Stored* a, const Stored* b)     accumulators += A * B over one k-tile
///     void store_accumulators(float* tile)    kBlockM rows of kEpilogueStride floats
///
/// - Epilogue (gemm_epilogues.h): bias, ReLU, destination.
///     using Element                     type of the destination
///     bool vectorized                   16-byte stores: n is a multiple of kElementsPerAccess<Element> and every
///                                       destination is aligned
///     void store<V>(int m, int n, const FloatArray<V>& accumulators)      m and n are in range
///
/// A kernel is one call of gemm(); see conv2d_forward.cu. Host code selects the Mainloop with for_mainloop
/// (gemm_dispatch.h).

#include "kernels/cuda/ptx.h"
#include "kernels/cuda/vector.h"
#include "simt/cuda.h"

#include <type_traits>

namespace minception::cuda {

/// Problem size. Block (., ., z) accumulates over k in [z * k_per_block, (z + 1) * k_per_block); split-K if the grid
/// has more than one z. k_per_block is a multiple of kBlockK unless there is one split.
struct GemmShape {
  int m = 0, n = 0, k = 0;
  int k_per_block = 0;

  GemmShape(int rows, int columns, int depth) : GemmShape(rows, columns, depth, depth) {}
  GemmShape(int rows, int columns, int depth, int depth_per_block)
      : m(rows), n(columns), k(depth), k_per_block(depth_per_block) {}

  int splits() const { return k_per_block > 0 ? (k + k_per_block - 1) / k_per_block : 1; }
};

/// Consecutive blocks read the same rows of A, so that these stay in the L2 cache.
template <class Mainloop>
dim3 gemm_grid(const GemmShape& shape) {
  return dim3(ceil_div(shape.m, Mainloop::kBlockM) * ceil_div(shape.n, Mainloop::kBlockN), 1,
              static_cast<unsigned>(shape.splits()));
}

/// Loads a k-tile of one operand into shared memory: kExtentMn indices of m or n, kBlockK of k. Each thread moves V
/// elements in each of kPasses passes: by cp.async if neither conversion nor transposition is needed, through registers
/// otherwise.
template <class Iterator, class Mainloop, int kExtentMn>
class TileLoader {
 public:
  using Stored = typename Mainloop::Stored;
  using Layout = typename Mainloop::template Layout<Iterator::k_major, kExtentMn>;
  static constexpr int kStrided = Layout::k_major ? kExtentMn : Mainloop::kBlockK;
  static constexpr int kBytes = kStrided * Layout::stride * static_cast<int>(sizeof(Stored));
  static constexpr bool kTransposed = Layout::k_major != Iterator::k_major;
  static constexpr bool kAsync =
      std::is_same_v<typename Iterator::Element, Stored> && !kTransposed && Iterator::V * sizeof(Stored) == 16;

  __device__ __forceinline__ TileLoader(const Iterator& iterator, int first)
      : strided_(static_cast<int>(threadIdx.x) / kAccessesPerRow),
        contiguous_(static_cast<int>(threadIdx.x) % kAccessesPerRow * V) {
    if constexpr (Iterator::k_major) {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass)
        mn_[pass] = iterator.mn_index(first + strided_ + pass * kStridedPerPass);
    } else {
      mn_[0] = iterator.mn_index(first + contiguous_);
    }
  }

  /// Starts loading the k-tile that begins at k.
  __device__ __forceinline__ void load(const Iterator& iterator, int k, Stored* tile) {
    if constexpr (Iterator::k_major) {
      const auto k_index = iterator.k_index(k + contiguous_);
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) load_access(iterator.at(mn_[pass], k_index), pass, tile);
    } else {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) {
        load_access(iterator.at(mn_[0], iterator.k_index(k + strided_ + pass * kStridedPerPass)), pass, tile);
      }
    }
  }

  /// Stores the k-tile that load() left in registers to shared memory. No-op with cp.async.
  __device__ __forceinline__ void store_staged(Stored* tile) const {
    if constexpr (!kAsync) {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) {
        const int row = strided_ + pass * kStridedPerPass;
        if constexpr (kTransposed) {
#pragma unroll
          for (int i = 0; i < V; ++i) {
            tile[(contiguous_ + i) * Layout::stride + row] = static_cast<Stored>(static_cast<float>(staged_[pass][i]));
          }
        } else {
          store_access(tile + row * Layout::stride + contiguous_, staged_[pass]);
        }
      }
    }
  }

 private:
  using Element = typename Iterator::Element;
  static constexpr int V = Iterator::V;
  static constexpr int kAccessesPerRow =
      (Iterator::k_major ? Mainloop::kBlockK : kExtentMn) / V;  // per row in global memory
  static constexpr int kStridedPerPass = Mainloop::kThreads / kAccessesPerRow;
  static constexpr int kPasses = (Iterator::k_major ? kExtentMn : Mainloop::kBlockK) / kStridedPerPass;
  static_assert(Mainloop::kThreads % kAccessesPerRow == 0 &&
                kStridedPerPass * kPasses * kAccessesPerRow * V == kExtentMn * Mainloop::kBlockK);

  __device__ __forceinline__ void load_access(const Element* from, int pass, Stored* tile) {
    if constexpr (kAsync) {
      cp_async<16>(tile + (strided_ + pass * kStridedPerPass) * Layout::stride + contiguous_, from, from != nullptr);
    } else {
      constexpr int kPiece = V < kElementsPerAccess<Element> ? V : kElementsPerAccess<Element>;
#pragma unroll
      for (int i = 0; i < V; i += kPiece) {
        AlignedArray<Element, kPiece> piece = {};
        if (from != nullptr) piece = *reinterpret_cast<const AlignedArray<Element, kPiece>*>(from + i);
#pragma unroll
        for (int j = 0; j < kPiece; ++j) staged_[pass][i + j] = piece.element[j];
      }
    }
  }

  static __device__ __forceinline__ void store_access(Stored* to, const Element (&access)[V]) {
    if constexpr (std::is_same_v<Stored, bf16> && std::is_same_v<Element, float> && V % 2 == 0) {
      AlignedArray<std::uint32_t, V / 2> packed;
#pragma unroll
      for (int i = 0; i < V; i += 2) packed.element[i / 2] = pack_bf16(access[i], access[i + 1]);
      *reinterpret_cast<AlignedArray<std::uint32_t, V / 2>*>(to) = packed;
    } else {
      AlignedArray<Stored, V> packed;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if constexpr (std::is_same_v<Stored, Element>) {
          packed.element[i] = access[i];
        } else {
          packed.element[i] = static_cast<Stored>(static_cast<float>(access[i]));
        }
      }
      *reinterpret_cast<AlignedArray<Stored, V>*>(to) = packed;
    }
  }

  int strided_;     // row of the first pass
  int contiguous_;  // element of the row
  typename Iterator::MnIndex mn_[Iterator::k_major ? kPasses : 1];
  Element staged_[kAsync ? 1 : kPasses][V];
};

/// Bytes of dynamic shared memory of a kernel that calls gemm() with these parameters.
template <class Mainloop, class A, class B>
inline constexpr int kGemmSharedBytes = [] {
  constexpr int pipeline = Mainloop::kStages * (TileLoader<A, Mainloop, Mainloop::kBlockM>::kBytes +
                                                TileLoader<B, Mainloop, Mainloop::kBlockN>::kBytes);
  constexpr int epilogue = Mainloop::kBlockM * Mainloop::kEpilogueStride * static_cast<int>(sizeof(float));
  return pipeline > epilogue ? pipeline : epilogue;
}();

/// Shared memory of a multiprocessor: 164 KiB with compute capability 8.0, 228 KiB with 9.0 and 10.0, 100 KiB with 8.6, 8.9
/// and 12.0. A block takes 1 KiB more than it asks for. kMinBlocksPerSm is promised for the first two kinds. With 100 KiB
/// one block fits of the tensor_op tiles (82 KiB at most) except bf16 64x64 (two), and two of the 128x64 tiles of
/// FmaMainloop.
inline constexpr int kSharedPerSm = 164 << 10;
inline constexpr int kReservedShared = 1 << 10;

/// Computes the tile of this block. Launched with Mainloop::kThreads threads and gemm_grid.
template <class Mainloop, class A, class B, class Epilogue>
__device__ __forceinline__ void gemm(const A& a, const B& b, const Epilogue& epilogue, const GemmShape& shape) {
  using Stored = typename Mainloop::Stored;
  using LoaderA = TileLoader<A, Mainloop, Mainloop::kBlockM>;
  using LoaderB = TileLoader<B, Mainloop, Mainloop::kBlockN>;
  static_assert(Mainloop::kMinBlocksPerSm * (kGemmSharedBytes<Mainloop, A, B> + kReservedShared) <= kSharedPerSm);
  constexpr int kStages = Mainloop::kStages;
  constexpr int kStageBytes = LoaderA::kBytes + LoaderB::kBytes;
  DYNAMIC_SHARED(unsigned char, shared);
  const auto tile_a = [shared](int stage) { return reinterpret_cast<Stored*>(shared + stage * kStageBytes); };
  const auto tile_b = [shared](int stage) {
    return reinterpret_cast<Stored*>(shared + stage * kStageBytes + LoaderA::kBytes);
  };

  const int tiles_n = (shape.n + Mainloop::kBlockN - 1) / Mainloop::kBlockN;
  const int first_m = static_cast<int>(blockIdx.x) / tiles_n * Mainloop::kBlockM;
  const int first_n = static_cast<int>(blockIdx.x) % tiles_n * Mainloop::kBlockN;
  const int first_k = static_cast<int>(blockIdx.z) * shape.k_per_block;
  const int depth = shape.k - first_k < shape.k_per_block ? shape.k - first_k : shape.k_per_block;
  const int k_tiles = (depth + Mainloop::kBlockK - 1) / Mainloop::kBlockK;

  LoaderA loader_a(a, first_m);
  LoaderB loader_b(b, first_n);
  const auto load_k_tile = [&](int k_tile, int stage) {
    loader_a.load(a, first_k + k_tile * Mainloop::kBlockK, tile_a(stage));
    loader_b.load(b, first_k + k_tile * Mainloop::kBlockK, tile_b(stage));
  };
  const auto store_staged = [&](int stage) {
    loader_a.store_staged(tile_a(stage));
    loader_b.store_staged(tile_b(stage));
  };
  for (int k_tile = 0; k_tile < kStages - 1; ++k_tile) {
    if (k_tile < k_tiles) {
      load_k_tile(k_tile, k_tile);
      store_staged(k_tile);
    }
    cp_async_commit();
  }

  Mainloop mainloop;
  int stage = 0;
  int free_stage = kStages - 1;
  for (int k_tile = 0; k_tile < k_tiles; ++k_tile) {
    cp_async_wait<kStages - 2>();
    // After the barrier all threads see this k-tile, and the stage of the previous one is free.
    __syncthreads();
    const bool more = k_tile + kStages - 1 < k_tiles;
    if (more) load_k_tile(k_tile + kStages - 1, free_stage);
    cp_async_commit();
    mainloop.template multiply<typename LoaderA::Layout, typename LoaderB::Layout>(tile_a(stage), tile_b(stage));
    // Register loads overlap with the math of one k-tile.
    if (more) store_staged(free_stage);
    stage = stage + 1 < kStages ? stage + 1 : 0;
    free_stage = free_stage + 1 < kStages ? free_stage + 1 : 0;
  }

  // Accumulators go through shared memory so that threads store whole vectors of a row.
  cp_async_wait<0>();
  __syncthreads();
  auto* const accumulators = reinterpret_cast<float*>(shared);
  mainloop.store_accumulators(accumulators);
  __syncthreads();
  const auto store = [&]<int V>() {
    constexpr int kVectors = Mainloop::kBlockN / V;
    for (int index = static_cast<int>(threadIdx.x); index < Mainloop::kBlockM * kVectors; index += Mainloop::kThreads) {
      const int row = index / kVectors;
      const int column = index % kVectors * V;
      if (first_m + row >= shape.m || first_n + column >= shape.n) continue;
      FloatArray<V> values;
#pragma unroll
      for (int i = 0; i < V; i += V < 4 ? 1 : 4) {
        constexpr int kPiece = V < 4 ? 1 : 4;
        const FloatArray<kPiece> piece = load<kPiece>(accumulators + row * Mainloop::kEpilogueStride + column + i);
#pragma unroll
        for (int j = 0; j < kPiece; ++j) values[i + j] = piece[j];
      }
      epilogue.template store<V>(first_m + row, first_n + column, values);
    }
  };
  if (epilogue.vectorized) {
    store.template operator()<kElementsPerAccess<typename Epilogue::Element>>();
  } else {
    store.template operator()<1>();
  }
}

}  // namespace minception::cuda
