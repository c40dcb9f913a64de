#pragma once
/// D = A * B, the frame of every convolution and matrix product:  D[m][n] = sum over k of A[m][k] * B[k][n].
///
/// A block computes a tile of kM x kN results. It walks along k in slabs of kSlab: while it multiplies one slab, which
/// lies in shared memory, the next ones are on their way from global memory (kStages of them exist at a time), with one
/// barrier per slab. What varies is in four parameters:
///
/// - The operands A and B (gemm_operands.h) say where an element lies: a matrix, or the pixels under a convolution's
///   window ("implicit GEMM": the matrix of all windows never exists in memory).
///     using Element                   float or bf16, in global memory
///     static constexpr int V          elements that are neighbours in memory, aligned to min(16, V * sizeof(Element))
///                                     bytes, and inside or outside together
///     static constexpr bool k_inner   neighbours differ in k (true), or in m or n (false)
///     Outer outer(int index)          what is known of an index of m or n; also of one that does not exist
///     Inner inner(int k)              what is known of an index of k; also of one that does not exist
///     const Element* find(outer, inner)    the element, or nullptr where it is 0: padding, or no such index
///   A thread keeps its `outer`s and meets them with one `inner` after the other, so what is costly belongs there.
///
/// - Multiply is how the slab is multiplied: Tiled (gemm_tiled.h) in f32, or TensorCore (gemm_tensor_core.h).
///     using Stored                    float or bf16, in shared memory
///     static constexpr int kM, kN, kSlab, kStages, kThreads, kBlocksPerProcessor
///     template <bool k_inner, int kOuter> using Layout     how an operand of that kind lies in shared memory:
///                                     k_inner (not necessarily the operand's own), stride from line to line
///     void multiply<LayoutA, LayoutB>(const Stored* a, const Stored* b)     adds the product of a slab to its sums
///     void write(float* tile)         the sums, as kM rows of kResultStride floats
///
/// - Result (gemm_results.h) takes the sums: bias, ReLU, where they go.
///     using Element                   what it stores; 16 bytes of it are stored at once where `wide` is true
///     bool wide                       n is a multiple of kWidest<Element>, and every destination is so aligned
///     void store<V>(int m, int n, const Floats<V>& sums)      m and n exist
///
/// A kernel is a line around gemm(); see conv2d_forward.cu. Host code chooses Multiply with for_multiply
/// (gemm_dispatch.h).

#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/cuda/ptx.h>
#include <minception/kernels/cuda/vector.h>

#include <type_traits>

namespace minception::cuda {

/// The extents of a product. Block (., ., z) sums over k in [z * k_per_block, (z + 1) * k_per_block): split-K, where z
/// has more than one value. k_per_block is a multiple of kSlab unless there is one split.
struct GemmShape {
  int m = 0, n = 0, k = 0;
  int k_per_block = 0;

  GemmShape(int rows, int columns, int depth) : GemmShape(rows, columns, depth, depth) {}
  GemmShape(int rows, int columns, int depth, int depth_per_block)
      : m(rows), n(columns), k(depth), k_per_block(depth_per_block) {}

  int splits() const { return k_per_block > 0 ? (k + k_per_block - 1) / k_per_block : 1; }
};

/// Blocks of a product: those that share rows of A are neighbours, and find them in the L2 cache.
template <class Multiply>
dim3 gemm_grid(const GemmShape& shape) {
  return dim3(blocks_for(shape.m, Multiply::kM) * blocks_for(shape.n, Multiply::kN), 1,
              static_cast<unsigned>(shape.splits()));
}

/// One operand on its way to shared memory: kOuter indices of m or n, kSlab of k. Each thread moves V elements in each
/// of kPasses passes; with cp.async where nothing has to be converted or turned, through registers otherwise.
template <class Operand, class Multiply, int kOuter>
class TileCopy {
 public:
  using Stored = typename Multiply::Stored;
  using Layout = typename Multiply::template Layout<Operand::k_inner, kOuter>;
  static constexpr int kLines = Layout::k_inner ? kOuter : Multiply::kSlab;
  static constexpr int kBytes = kLines * Layout::stride * static_cast<int>(sizeof(Stored));
  static constexpr bool kTurned = Layout::k_inner != Operand::k_inner;
  static constexpr bool kAsync =
      std::is_same_v<typename Operand::Element, Stored> && !kTurned && Operand::V * sizeof(Stored) == 16;

  __device__ __forceinline__ TileCopy(const Operand& operand, int first)
      : line_(static_cast<int>(threadIdx.x) / kChunks), along_(static_cast<int>(threadIdx.x) % kChunks * V) {
    if constexpr (Operand::k_inner) {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) outer_[pass] = operand.outer(first + line_ + pass * kLinesPerPass);
    } else {
      outer_[0] = operand.outer(first + along_);
    }
  }

  /// Starts the copy of the slab that begins at k.
  __device__ __forceinline__ void fetch(const Operand& operand, int k, Stored* tile) {
    if constexpr (Operand::k_inner) {
      const auto inner = operand.inner(k + along_);
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) fetch_chunk(operand.find(outer_[pass], inner), pass, tile);
    } else {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) {
        fetch_chunk(operand.find(outer_[0], operand.inner(k + line_ + pass * kLinesPerPass)), pass, tile);
      }
    }
  }

  /// Ends it, as far as it went through registers.
  __device__ __forceinline__ void finish(Stored* tile) const {
    if constexpr (!kAsync) {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) {
        const int line = line_ + pass * kLinesPerPass;
        if constexpr (kTurned) {
#pragma unroll
          for (int i = 0; i < V; ++i) {
            tile[(along_ + i) * Layout::stride + line] = static_cast<Stored>(static_cast<float>(staged_[pass][i]));
          }
        } else {
          store_chunk(tile + line * Layout::stride + along_, staged_[pass]);
        }
      }
    }
  }

 private:
  using Element = typename Operand::Element;
  static constexpr int V = Operand::V;
  static constexpr int kChunks = (Operand::k_inner ? Multiply::kSlab : kOuter) / V;  // of a line in global memory
  static constexpr int kLinesPerPass = Multiply::kThreads / kChunks;
  static constexpr int kPasses = (Operand::k_inner ? kOuter : Multiply::kSlab) / kLinesPerPass;
  static_assert(Multiply::kThreads % kChunks == 0 && kLinesPerPass * kPasses * kChunks * V == kOuter * Multiply::kSlab);

  __device__ __forceinline__ void fetch_chunk(const Element* from, int pass, Stored* tile) {
    if constexpr (kAsync) {
      cp_async<16>(tile + (line_ + pass * kLinesPerPass) * Layout::stride + along_, from, from != nullptr);
    } else {
      constexpr int kPiece = V < kWidest<Element> ? V : kWidest<Element>;
#pragma unroll
      for (int i = 0; i < V; i += kPiece) {
        Packed<Element, kPiece> piece = {};
        if (from != nullptr) piece = *reinterpret_cast<const Packed<Element, kPiece>*>(from + i);
#pragma unroll
        for (int j = 0; j < kPiece; ++j) staged_[pass][i + j] = piece.element[j];
      }
    }
  }

  static __device__ __forceinline__ void store_chunk(Stored* to, const Element (&chunk)[V]) {
    if constexpr (std::is_same_v<Stored, bf16> && std::is_same_v<Element, float> && V % 2 == 0) {
      Packed<std::uint32_t, V / 2> packed;
#pragma unroll
      for (int i = 0; i < V; i += 2) packed.element[i / 2] = pack_bf16(chunk[i], chunk[i + 1]);
      *reinterpret_cast<Packed<std::uint32_t, V / 2>*>(to) = packed;
    } else {
      Packed<Stored, V> packed;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if constexpr (std::is_same_v<Stored, Element>) {
          packed.element[i] = chunk[i];
        } else {
          packed.element[i] = static_cast<Stored>(static_cast<float>(chunk[i]));
        }
      }
      *reinterpret_cast<Packed<Stored, V>*>(to) = packed;
    }
  }

  int line_;   // of the first pass
  int along_;  // element of the line
  typename Operand::Outer outer_[Operand::k_inner ? kPasses : 1];
  Element staged_[kAsync ? 1 : kPasses][V];
};

/// Bytes of dynamic shared memory of a kernel that calls gemm() with these parameters.
template <class Multiply, class A, class B>
inline constexpr int kGemmSharedBytes = [] {
  constexpr int slabs =
      Multiply::kStages * (TileCopy<A, Multiply, Multiply::kM>::kBytes + TileCopy<B, Multiply, Multiply::kN>::kBytes);
  constexpr int results = Multiply::kM * Multiply::kResultStride * static_cast<int>(sizeof(float));
  return slabs > results ? slabs : results;
}();

/// The tile of this block, by all threads of it: a one-dimensional block of Multiply::kThreads, in gemm_grid.
template <class Multiply, class A, class B, class Result>
__device__ __forceinline__ void gemm(const A& a, const B& b, const Result& result, const GemmShape& shape) {
  using Stored = typename Multiply::Stored;
  using CopyA = TileCopy<A, Multiply, Multiply::kM>;
  using CopyB = TileCopy<B, Multiply, Multiply::kN>;
  constexpr int kStages = Multiply::kStages;
  constexpr int kStageBytes = CopyA::kBytes + CopyB::kBytes;
  DYNAMIC_SHARED(unsigned char, shared);
  const auto tile_a = [shared](int stage) { return reinterpret_cast<Stored*>(shared + stage * kStageBytes); };
  const auto tile_b = [shared](int stage) {
    return reinterpret_cast<Stored*>(shared + stage * kStageBytes + CopyA::kBytes);
  };

  const int tiles_n = (shape.n + Multiply::kN - 1) / Multiply::kN;
  const int first_m = static_cast<int>(blockIdx.x) / tiles_n * Multiply::kM;
  const int first_n = static_cast<int>(blockIdx.x) % tiles_n * Multiply::kN;
  const int first_k = static_cast<int>(blockIdx.z) * shape.k_per_block;
  const int depth = shape.k - first_k < shape.k_per_block ? shape.k - first_k : shape.k_per_block;
  const int slabs = (depth + Multiply::kSlab - 1) / Multiply::kSlab;

  CopyA copy_a(a, first_m);
  CopyB copy_b(b, first_n);
  const auto fetch = [&](int slab, int stage) {
    copy_a.fetch(a, first_k + slab * Multiply::kSlab, tile_a(stage));
    copy_b.fetch(b, first_k + slab * Multiply::kSlab, tile_b(stage));
  };
  const auto finish = [&](int stage) {
    copy_a.finish(tile_a(stage));
    copy_b.finish(tile_b(stage));
  };
  for (int slab = 0; slab < kStages - 1; ++slab) {
    if (slab < slabs) {
      fetch(slab, slab);
      finish(slab);
    }
    cp_async_commit();
  }

  Multiply product;
  int stage = 0;
  int free_stage = kStages - 1;
  for (int slab = 0; slab < slabs; ++slab) {
    cp_async_wait<kStages - 2>();
    // This slab is there for all threads, and none of them reads the previous one any more: its stage is free.
    __syncthreads();
    const bool more = slab + kStages - 1 < slabs;
    if (more) fetch(slab + kStages - 1, free_stage);
    cp_async_commit();
    product.template multiply<typename CopyA::Layout, typename CopyB::Layout>(tile_a(stage), tile_b(stage));
    // What travels through registers had the time of a product to arrive.
    if (more) finish(free_stage);
    stage = stage + 1 < kStages ? stage + 1 : 0;
    free_stage = free_stage + 1 < kStages ? free_stage + 1 : 0;
  }

  // The results go through shared memory, so that threads store whole vectors of a row, whatever the shape of the sums.
  cp_async_wait<0>();
  __syncthreads();
  auto* const sums = reinterpret_cast<float*>(shared);
  product.write(sums);
  __syncthreads();
  const auto store = [&]<int V>() {
    constexpr int kVectors = Multiply::kN / V;
    for (int index = static_cast<int>(threadIdx.x); index < Multiply::kM * kVectors; index += Multiply::kThreads) {
      const int row = index / kVectors;
      const int column = index % kVectors * V;
      if (first_m + row >= shape.m || first_n + column >= shape.n) continue;
      Floats<V> values;
#pragma unroll
      for (int i = 0; i < V; i += V < 4 ? 1 : 4) {
        constexpr int kPiece = V < 4 ? 1 : 4;
        const Floats<kPiece> piece = load<kPiece>(sums + row * Multiply::kResultStride + column + i);
#pragma unroll
        for (int j = 0; j < kPiece; ++j) values[i + j] = piece[j];
      }
      result.template store<V>(first_m + row, first_n + column, values);
    }
  };
  if (result.wide) {
    store.template operator()<kWidest<typename Result::Element>>();
  } else {
    store.template operator()<1>();
  }
}

}  // namespace minception::cuda
