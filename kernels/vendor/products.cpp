/// Fused 1x1 convolutions and fully connected layers through cuBLAS.
///
/// cuBLAS is column-major: its (columns, rows) matrix is our (rows, columns) matrix. Our row of channels per pixel is
/// its column, a pixel stride is a leading dimension, and channel slices need no copy:
///
///   y (pixels, O) = x (pixels, I) * w (O, I)^T      is to cuBLAS   y (O, pixels) = w^T x     w as (I, O), transposed
///   dx (pixels, I) = dy (pixels, O) * w (O, I)                     dx (I, pixels) = w dy
///   dw (O, I) = dy (pixels, O)^T * x (pixels, I)                   dw (I, O) = x dy^T
///
/// With bf16, operands are bf16 and dw is accumulated and stored in f32. Weights are cast in every run, because they
/// change between runs. A bias gradient is dy times a vector of ones.

#include "kernels/vendor/handles.h"

namespace minception {

using namespace vendor;

namespace {

cudaDataType cuda_type(DType dtype) { return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

std::int64_t row(const Tensor& image) { return image.pixel_stride; }

/// Rows `begin` to begin + count - 1 of a weight matrix.
Tensor rows_of(const Tensor& w, std::int64_t begin, std::int64_t count) {
  Tensor rows(Shape{count, w.c()}, w.dtype, w.data, w.device);
  if (rows.data != nullptr) {
    rows.data = static_cast<std::byte*>(w.data) + static_cast<std::size_t>(begin * w.c()) * size_of(w.dtype);
  }
  return rows;
}
/// Elements `begin` to begin + count - 1 of a vector; undefined if the vector is.
Tensor part_of(const Tensor& vector, std::int64_t begin, std::int64_t count) {
  if (!vector.defined()) return {};
  Tensor part(Shape{count}, vector.dtype, vector.data, vector.device);
  if (part.data != nullptr) {
    part.data = static_cast<std::byte*>(vector.data) + static_cast<std::size_t>(begin) * size_of(vector.dtype);
  }
  return part;
}

}  // namespace

void VendorBackend::gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
                         const Tensor& a, std::int64_t lda, const Tensor& b, std::int64_t ldb, float beta,
                         const Tensor& c, std::int64_t ldc) {
  const float alpha = 1.0f;
  const auto operation = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const bool tf32 = options_.tf32 && a.dtype == DType::f32;
  check(libraries().cublasGemmEx_64(handles_->cublas, operation(transpose_a), operation(transpose_b), m, n, k, &alpha,
                                    a.data, cuda_type(a.dtype), lda, b.data, cuda_type(b.dtype), ldb, &beta, c.data,
                                    cuda_type(c.dtype), ldc, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                    CUBLAS_GEMM_DEFAULT),
        "a matrix product");
}

void VendorBackend::bias_gradient(const Tensor& dy, const Tensor& dbias, bool accumulate, Walk& walk) {
  const Tensor ones = stand_in(Shape{dy.pixels()}, dy.dtype, walk);
  if (!walk.works) return;
  CudaBackend::fill({.value = 1.0, .y = ones}, {});
  gemm(false, false, dy.c(), 1, dy.pixels(), dy, row(dy), ones, dy.pixels(), accumulate ? 1.0f : 0.0f, dbias, dy.c());
}

void VendorBackend::walk(const Conv2dFused1x1Forward& op, Walk& walk) {
  const Tensor w = dense(op.w, op.x.dtype, walk);
  if (!walk.works) return;
  std::int64_t begin = 0;
  for (const Tensor& y : op.y) {
    gemm(true, false, y.c(), y.pixels(), op.x.c(), rows_of(w, begin, y.c()), op.x.c(), op.x, row(op.x), 0.0f, y,
         row(y));
    if (op.bias.defined() || op.relu) add_bias(y, part_of(op.bias, begin, y.c()), op.relu, y);
    begin += y.c();
  }
}

void VendorBackend::walk(const Conv2dFused1x1BackwardData& op, Walk& walk) {
  const Tensor w = dense(op.w, op.dy.front().dtype, walk);
  if (!walk.works) return;
  const Tensor& dx = op.target.dx;
  float beta = op.target.accumulate ? 1.0f : 0.0f;
  std::int64_t begin = 0;
  for (const Tensor& dy : op.dy) {
    gemm(false, false, dx.c(), dx.pixels(), dy.c(), rows_of(w, begin, dy.c()), dx.c(), dy, row(dy), beta, dx, row(dx));
    beta = 1.0f;
    begin += dy.c();
  }
  if (op.target.relu_output.defined()) {
    CudaBackend::relu_backward({.y = op.target.relu_output, .dy = dx, .target = {.dx = dx}}, {});
  }
}

void VendorBackend::walk(const Conv2dFused1x1BackwardWeights& op, Walk& walk) {
  const float beta = op.accumulate ? 1.0f : 0.0f;
  std::int64_t begin = 0;
  for (const Tensor& dy : op.dy) {
    if (walk.works) {
      gemm(false, true, op.x.c(), dy.c(), dy.pixels(), op.x, row(op.x), dy, row(dy), beta,
           rows_of(op.dw, begin, dy.c()), op.x.c());
    }
    if (op.dbias.defined()) bias_gradient(dy, part_of(op.dbias, begin, dy.c()), op.accumulate, walk);
    begin += dy.c();
  }
}

// A linear layer is a fused 1x1 convolution with one member and one-pixel images.

void VendorBackend::walk(const LinearForward& op, Walk& walk) {
  this->walk(Conv2dFused1x1Forward{.x = op.x, .w = op.w, .bias = op.bias, .y = {op.y}, .prepacked = {}}, walk);
}
void VendorBackend::walk(const LinearBackwardData& op, Walk& walk) {
  this->walk(Conv2dFused1x1BackwardData{.dy = {op.dy}, .w = op.w, .target = op.target}, walk);
}
void VendorBackend::walk(const LinearBackwardWeights& op, Walk& walk) {
  this->walk(
      Conv2dFused1x1BackwardWeights{
          .x = op.x, .dy = {op.dy}, .dw = op.dw, .dbias = op.dbias, .accumulate = op.accumulate},
      walk);
}

void VendorBackend::conv2d_fused_1x1_forward(const Conv2dFused1x1Forward& op, Workspace workspace) {
  work(op, workspace);
}
void VendorBackend::conv2d_fused_1x1_backward_data(const Conv2dFused1x1BackwardData& op, Workspace workspace) {
  work(op, workspace);
}
void VendorBackend::conv2d_fused_1x1_backward_weights(const Conv2dFused1x1BackwardWeights& op, Workspace workspace) {
  work(op, workspace);
}
void VendorBackend::linear_forward(const LinearForward& op, Workspace workspace) { work(op, workspace); }
void VendorBackend::linear_backward_data(const LinearBackwardData& op, Workspace workspace) { work(op, workspace); }
void VendorBackend::linear_backward_weights(const LinearBackwardWeights& op, Workspace workspace) {
  work(op, workspace);
}

}  // namespace minception
