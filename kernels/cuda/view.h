#pragma once
/// Tensors as kernels address them: one row of channels per pixel, 32-bit indices.

#include "core/error.h"
#include "core/tensor.h"
#include "kernels/backend.h"
#include "kernels/operations.h"
#include "simt/cuda.h"

#include <cstdint>
#include <limits>
#include <type_traits>

namespace minception::cuda {

/// N x H x W pixels of C channels; pixel p starts at data + p * stride. Passed to kernels by value. Tensors of a rank
/// other than 2 and 4 are one pixel that holds all elements.
template <class T>
struct View {
  T* data = nullptr;
  int n = 1, h = 1, w = 1, c = 0;
  int stride = 0;  ///< elements between consecutive pixels

  __host__ __device__ int pixels() const { return n * h * w; }
  __host__ __device__ int elements() const { return pixels() * c; }
  __host__ __device__ bool dense() const { return stride == c; }
  __device__ T* pixel(int index) const { return data + index * stride; }
  __device__ T* pixel(int image, int row, int column) const { return pixel((image * h + row) * w + column); }
  operator View<const T>() const requires(!std::is_const_v<T>) { return {data, n, h, w, c, stride}; }
};

/// Throws Error if the dtype is not T or the tensor spans 2^31 or more elements.
template <class T>
View<T> view(const Tensor& tensor) {
  auto* data = tensor.as<T>();
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  const std::int64_t span = tensor.is_image() ? tensor.pixels() * tensor.pixel_stride : tensor.elements();
  require(span <= kMost, "the cuda backend addresses ", kMost, " elements of a tensor, but ", tensor.shape, " spans ",
          span, "; use a smaller batch");
  const auto extent = [](std::int64_t value) { return static_cast<int>(value); };
  if (!tensor.is_image()) return {data, 1, 1, 1, extent(tensor.elements()), extent(tensor.elements())};
  return {data,
          extent(tensor.n()),
          extent(tensor.h()),
          extent(tensor.w()),
          extent(tensor.c()),
          extent(tensor.pixel_stride)};
}
template <class T>
View<const T> const_view(const Tensor& tensor) {
  return view<T>(tensor);
}

/// The elements of a vector operand (bias, statistics), or nullptr if it is undefined.
template <class T>
T* values(const Tensor& tensor) {
  return tensor.defined() ? tensor.as<T>() : nullptr;
}

struct PixelPosition {
  int image, row, column;
};

/// A GradTarget for kernels: accumulation and ReLU mask are part of the store.
template <class T>
struct Gradient {
  View<T> dx;
  View<const T> relu_output;  ///< no mask if its data is nullptr
  bool accumulate = false;

  /// dx = mask * ((accumulate ? dx : 0) + value), rounded to T once.
  __device__ void store(int pixel, int channel, float value) const {
    T* out = dx.pixel(pixel) + channel;
    if (accumulate) value += static_cast<float>(*out);
    if (relu_output.data != nullptr && !(static_cast<float>(relu_output.pixel(pixel)[channel]) > 0.0f)) value = 0.0f;
    *out = static_cast<T>(value);
  }
};

template <class T>
Gradient<T> gradient(const GradTarget& target) {
  Gradient<T> result{view<T>(target.dx), {}, target.accumulate};
  if (target.relu_output.defined()) result.relu_output = const_view<T>(target.relu_output);
  return result;
}

/// Calls f.operator()<T>() with the element type of the tensor, float or bf16. Throws Error for other dtypes.
template <class F>
void for_dtype(const Tensor& tensor, F&& f) {
  switch (tensor.dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::bf16:
      return f.template operator()<bf16>();
    default:
      fail("the cuda backend computes in f32 and bf16, not in ", name_of(tensor.dtype),
           "; use the reference backend for f64");
  }
}

/// Grid size beyond which work is not split further. Splits determine the order of sums.
inline constexpr int kTargetBlocks = CudaOptions{}.blocks_to_fill;

/// count / per_block, rounded up.
inline unsigned ceil_div(std::int64_t count, std::int64_t per_block) {
  return static_cast<unsigned>((count + per_block - 1) / per_block);
}

}  // namespace minception::cuda
