#pragma once
/// Interface to oneDNN: matrix products, and convolution primitives that are built once per shape and cached. Only
/// onednn.cpp includes oneDNN's headers and handles the differences between its versions 2 and 3.

#include "core/dtype.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace minception::cpu {

enum class Pass : std::uint8_t { forward, backward_data, backward_weights };

/// The key of a convolution primitive. Images are dense. With bf16 images, prepacked weights are bf16; weight gradients
/// and the bias are always f32.
struct ConvolutionShape {
  Pass pass = Pass::forward;
  DType images = DType::f32;  ///< or bf16
  bool bias = false;          ///< bias and relu: forward only
  bool relu = false;
  std::int64_t n = 0, i = 0, h = 0, w = 0;
  std::int64_t o = 0, p = 0, q = 0, kh = 0, kw = 0;
  std::int64_t stride_h = 1, stride_w = 1, padding_h = 0, padding_w = 0;

  bool operator==(const ConvolutionShape&) const = default;
  /// "n128 64x8x8 -> 192x8x8, 3x3 stride 1x1 padding 1x1, bias, relu, bf16"
  std::string to_string() const;
};

/// One convolution primitive. It may need weights in its own layout.
class Convolution {
 public:
  virtual ~Convolution() = default;

  /// Bytes of scratch memory for run.
  virtual std::size_t scratch_bytes() const = 0;
  /// Bytes of the weights in the primitive's own layout and type, or 0 if that is f32 (O, KH, KW, I).
  virtual std::size_t prepacked_bytes() const = 0;
  /// Convert f32 (O, KH, KW, I) into the primitive's layout, and back.
  virtual void pack(const float* w, void* prepacked) = 0;
  virtual void unpack(const void* prepacked, float* w) = 0;
  /// x, w and y are the tensors or gradients of the pass; w is in the primitive's layout. bias may be nullptr.
  virtual void run(void* x, void* w, void* bias, void* y, void* scratch) = 0;
};

/// Not thread-safe.
class OneDnn {
 public:
  /// `threads` applies to every call. oneDNN uses OpenMP's thread count of the calling thread, so that count is set for
  /// the duration of a call and restored afterwards.
  explicit OneDnn(int threads);
  ~OneDnn();

  /// "oneDNN 2.6.3, AVX-512"
  std::string description() const;
  /// Whether oneDNN multiplies bf16 on this processor. It needs AVX-512; bf16 instructions are emulated if missing.
  static bool multiplies_bf16();
  /// The instruction set that oneDNN uses: "AVX2", ...
  static std::string instruction_set();
  /// "conv2d_forward n128 ...: jit:avx512_core" for every convolution requested so far; "none" if convolution()
  /// returned nullptr; followed by ", instead of the faulty jit_1x1:..." if a known fault ruled an implementation out.
  std::vector<std::string> implementations() const;

  /// The primitive for a shape, or nullptr if oneDNN has only its reference loops (200 times slower) and
  /// implementations that onednn_known_faults.h rules out.
  Convolution* convolution(const ConvolutionShape& shape);

  /// C = op(A) op(B) + beta C, row-major: C is (m, n), op(A) is (m, k), op(B) is (k, n); ld* are row strides.
  /// With beta = 0, C is not read. Runs on one thread inside a parallel region.
  void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
            std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) const;
  /// The same with bf16 factors, summed in f32.
  void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const bf16* a,
            std::int64_t lda, const bf16* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) const;

 private:
  struct Cache;
  int threads_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace minception::cpu
