#pragma once
/// Views of tensors for the kernels of this backend: rows of elements, one row per pixel. Elementwise operations
/// process a dense tensor as one long run, whatever its shape.

#include "core/error.h"
#include "core/tensor.h"
#include "kernels/cpu/parallel.h"
#include "kernels/operations.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace minception::cpu {

/// Elements of a tensor. A tensor of a rank other than 2 or 4 is one pixel with all its elements.
template <class T>
struct View {
  T* data = nullptr;
  std::int64_t n = 1, h = 1, w = 1, c = 0;
  std::int64_t stride = 0;  ///< between pixels

  std::int64_t pixels() const { return n * h * w; }
  std::int64_t elements() const { return pixels() * c; }
  bool dense() const { return stride == c; }
  T* pixel(std::int64_t index) const { return data + index * stride; }
  T* pixel(std::int64_t image, std::int64_t row, std::int64_t column) const {
    return pixel((image * h + row) * w + column);
  }
  operator View<const T>() const { return {data, n, h, w, c, stride}; }
};

/// For operands that are written.
template <class T>
View<T> view(const Tensor& tensor) {
  auto* data = tensor.as<T>();
  if (!tensor.is_image()) return {data, 1, 1, 1, tensor.elements(), tensor.elements()};
  return {data, tensor.n(), tensor.h(), tensor.w(), tensor.c(), tensor.pixel_stride};
}
/// For operands that are only read.
template <class T>
View<const T> const_view(const Tensor& tensor) {
  return view<T>(tensor);
}

/// Calls f(T{}) with the element type T of the tensor, the compute dtype. Sums and products are f32 for both types;
/// bf16 is the type of tensors and of the factors of matrix products.
template <class F>
void in_dtype_of(const Tensor& tensor, F&& f) {
  if (tensor.dtype == DType::bf16) return f(bf16{});
  require(tensor.dtype == DType::f32, "the cpu backend computes in f32 and bf16, not in ", name_of(tensor.dtype),
          tensor.dtype == DType::f64 ? "; use the reference backend for f64" : "");
  f(float{});
}

/// to = value, rounded to the type of `to`. Like `to = T(value)`, but for bf16 GCC does not vectorise simd loops with
/// that form, because it keeps T(value) in memory.
inline void round_into(float& to, float value) { to = value; }
inline void round_into(bf16& to, float value) { to.bits = bf16(value).bits; }

/// The elements of an f32 operand in master dtype, or nullptr if it is not defined.
inline float* values(const Tensor& tensor) { return tensor.defined() ? tensor.as<float>() : nullptr; }

/// `count` adjacent elements at the same position in every view.
struct Run {
  std::int64_t pixel = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;

  template <class T>
  T* of(const View<T>& view) const {
    return view.data + pixel * view.stride + first;
  }
};

/// Calls f(run) for all elements of the views, which have one shape: pixel by pixel, or in long runs if all are dense.
template <class F, class... Views>
void for_each_run(int threads, F&& f, const View<Views>&... views) {
  const auto [pixels, channels] = [](const auto& first, const auto&...) {
    return std::pair(first.pixels(), first.c);
  }(views...);
  const std::int64_t elements = pixels * channels;
  if ((views.dense() && ...)) {
    // Units of whole cache lines, so that threads do not write to the same line.
    constexpr std::int64_t kUnit = 32;
    parallel(threads, (elements + kUnit - 1) / kUnit, elements, [&](std::int64_t begin, std::int64_t end, int) {
      f(Run{0, begin * kUnit, std::min(end * kUnit, elements) - begin * kUnit});
    });
    return;
  }
  parallel(threads, pixels, elements, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t pixel = begin; pixel < end; ++pixel) f(Run{pixel, 0, channels});
  });
}

/// Stores gradients in a GradTarget: accumulates and masks in the pass that computes them.
template <class T>
struct GradientStore {
  View<T> dx;
  View<const T> relu_output;  ///< dx itself if there is no mask
  bool accumulate = false;
  bool masked = false;

  explicit GradientStore(const GradTarget& target)
      : dx(view<T>(target.dx)), relu_output(dx), accumulate(target.accumulate), masked(target.relu_output.defined()) {
    if (masked) relu_output = const_view<T>(target.relu_output);
  }

  /// Stores the float gradient(i) for the i-th element of the run.
  template <class G>
  void put(const Run& run, G&& gradient) const {
    T* out = run.of(dx);
    const T* y = run.of(relu_output);
    if (accumulate && masked) {
#pragma omp simd
      for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], y[i] > 0.0f ? out[i] + gradient(i) : 0.0f);
    } else if (accumulate) {
#pragma omp simd
      for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], out[i] + gradient(i));
    } else if (masked) {
#pragma omp simd
      for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], y[i] > 0.0f ? gradient(i) : 0.0f);
    } else {
#pragma omp simd
      for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], gradient(i));
    }
  }
  /// Applies the mask to the elements of the run in dx.
  void mask(const Run& run) const {
    T* out = run.of(dx);
    const T* y = run.of(relu_output);
#pragma omp simd
    for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], y[i] > 0.0f ? float(out[i]) : 0.0f);
  }
};

/// Calls f(run) for the elements of a target and of the views that its gradient is computed from.
template <class F, class T, class... Views>
void for_each_run(int threads, F&& f, const GradientStore<T>& target, const View<Views>&... views) {
  for_each_run(threads, f, target.dx, target.relu_output, views...);
}

}  // namespace minception::cpu
