#pragma once
/// How kernels see tensors: rows of channels, one row per pixel, addressed with 32-bit indices.

#include <minception/core/error.h>
#include <minception/core/tensor.h>
#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/operations.h>

#include <cstdint>
#include <limits>
#include <type_traits>

namespace minception::cuda {

/// N x H x W pixels of C channels; pixel p begins at data + p * stride. Passed to kernels by value. Ranks other than 2 and
/// 4 are one pixel of all their elements.
template <class T>
struct View {
  T* data = nullptr;
  int n = 1, h = 1, w = 1, c = 0;
  int stride = 0;  ///< elements from pixel to pixel

  __host__ __device__ int pixels() const { return n * h * w; }
  __host__ __device__ int elements() const { return pixels() * c; }
  __host__ __device__ bool dense() const { return stride == c; }
  __device__ T* pixel(int index) const { return data + index * stride; }
  __device__ T* pixel(int image, int row, int column) const { return pixel((image * h + row) * w + column); }
  operator View<const T>() const requires(!std::is_const_v<T>) { return {data, n, h, w, c, stride}; }
};

/// The view of an operand. Throws Error for another dtype, or for a tensor of 2^31 elements and more.
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

/// A vector operand (bias, statistics): its elements, or nullptr where it is not there.
template <class T>
T* values(const Tensor& tensor) {
  return tensor.defined() ? tensor.as<T>() : nullptr;
}

/// A GradTarget as kernels write it: one pass adds and masks while it stores.
template <class T>
struct Gradient {
  View<T> dx;
  View<const T> relu_output;  ///< no data: no mask
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

/// f.operator()<T>() with the element type of the tensor: float or bf16. Throws Error for any other.
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

/// Blocks of `per_block` that cover `count`.
inline unsigned blocks_for(std::int64_t count, std::int64_t per_block) {
  return static_cast<unsigned>((count + per_block - 1) / per_block);
}

}  // namespace minception::cuda
