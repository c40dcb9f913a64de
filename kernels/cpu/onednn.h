#pragma once
/// All of oneDNN that this backend uses: matrix products, and convolution primitives that are built once per
/// shape and kept. Only onednn.cpp includes oneDNN's headers, and only there do its versions 2 and 3 differ.

#include <minception/core/dtype.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace minception::cpu {

enum class Pass : std::uint8_t { forward, backward_data, backward_weights };

/// What a convolution primitive is built for. Images are dense. With bf16 images weights are packed as bf16; gradients of
/// weights, and the bias, are f32 always.
struct ConvolutionShape {
  Pass pass = Pass::forward;
  DType images = DType::f32;  ///< or bf16
  bool bias = false;          ///< forward only, as is relu
  bool relu = false;
  std::int64_t n = 0, i = 0, h = 0, w = 0;
  std::int64_t o = 0, p = 0, q = 0, kh = 0, kw = 0;
  std::int64_t stride_h = 1, stride_w = 1, padding_h = 0, padding_w = 0;

  bool operator==(const ConvolutionShape&) const = default;
  /// "n128 64x8x8 -> 192x8x8, 3x3 stride 1x1 padding 1x1, bias, relu, bf16"
  std::string to_string() const;
};

/// One primitive. It may want its weights in a layout of its own.
class Convolution {
 public:
  virtual ~Convolution() = default;

  /// Scratch memory that run needs.
  virtual std::size_t scratch_bytes() const = 0;
  /// Bytes of the weights in the primitive's own layout and type, or 0 if that is f32 (O, KH, KW, I).
  virtual std::size_t packed_bytes() const = 0;
  /// f32 (O, KH, KW, I) into the own layout, and back.
  virtual void pack(const float* w, void* packed) = 0;
  virtual void unpack(const void* packed, float* w) = 0;
  /// x, w, y or their gradients, whichever the pass reads and writes; w in the own layout. bias: or nullptr.
  virtual void run(void* x, void* w, void* bias, void* y, void* scratch) = 0;
};

/// Not for use by several threads at once.
class OneDnn {
 public:
  /// `threads` governs every call: oneDNN asks OpenMP how many threads the calling thread may start, so that
  /// number is set for the duration of a call and put back afterwards.
  explicit OneDnn(int threads);
  ~OneDnn();

  /// "oneDNN 2.6.3, AVX-512"
  std::string description() const;
  /// Whether oneDNN multiplies bf16 here: with AVX-512, where the processor has no instructions for it by emulation.
  static bool multiplies_bf16();
  /// "AVX2": the instructions that oneDNN uses.
  static std::string instruction_set();
  /// "conv2d_forward n128 ...: jit:avx512_core" for every convolution asked for so far, "none" where convolution() answers
  /// nullptr, and ", instead of the faulty jit_1x1:..." where a known fault stood in the way.
  std::vector<std::string> implementations() const;

  /// The primitive for a shape, or nullptr where oneDNN has nothing but its reference loops (200 times slower) and what
  /// onednn_known_faults.h rules out.
  Convolution* convolution(const ConvolutionShape& shape);

  /// C = op(A) op(B) + beta C, row-major: C is (m, n), op(A) is (m, k), op(B) is (k, n); ld* from row to row.
  /// With beta = 0, C is not read. On one thread when called from inside a parallel region.
  void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
            std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) const;
  /// The same of bf16 factors, summed in f32.
  void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const bf16* a,
            std::int64_t lda, const bf16* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) const;

 private:
  struct Cache;
  int threads_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace minception::cpu
