#pragma once
/// Operand access for the plain loops: pixels of images and channel slices, and gradients through a GradTarget.

#include "kernels/operations.h"

#include <cstdint>

namespace minception::reference {

/// Whether the operation is large enough for threads to pay off.
inline bool worth_threads(const Operation& operation) { return multiply_accumulates(operation) > 500'000; }

/// The pixels of an image operand. Channels of a pixel are adjacent; pixels are pixel_stride elements apart.
template <class T>
struct Image {
  T* data;
  std::int64_t n, c, h, w, pixel_stride;

  explicit Image(const Tensor& tensor)
      : data(tensor.as<T>()),
        n(tensor.n()),
        c(tensor.c()),
        h(tensor.h()),
        w(tensor.w()),
        pixel_stride(tensor.pixel_stride) {}

  std::int64_t pixels() const { return n * h * w; }
  std::int64_t index(std::int64_t image, std::int64_t row, std::int64_t column) const {
    return (image * h + row) * w + column;
  }
  /// The channels of a pixel; pixels are numbered over all images.
  T* pixel(std::int64_t number) const { return data + number * pixel_stride; }
  T* pixel(std::int64_t image, std::int64_t row, std::int64_t column) const { return pixel(index(image, row, column)); }
};

/// dx = mask * ((accumulate ? dx : 0) + gradient). Masked elements are 0, even if the gradient is NaN.
template <class T>
class GradWriter {
 public:
  explicit GradWriter(const GradTarget& target)
      : dx_(target.dx),
        relu_output_(target.relu_output.defined() ? target.relu_output : target.dx),
        accumulate_(target.accumulate),
        masked_(target.relu_output.defined()) {}

  void write(std::int64_t pixel, std::int64_t channel, double gradient) const {
    T& dx = dx_.pixel(pixel)[channel];
    const bool passes = !masked_ || relu_output_.pixel(pixel)[channel] > T(0);
    const double before = accumulate_ ? static_cast<double>(dx) : 0.0;
    dx = passes ? static_cast<T>(before + gradient) : T(0);
  }
  /// All channels of a pixel.
  void write(std::int64_t pixel, const double* gradients) const {
    for (std::int64_t c = 0; c < dx_.c; ++c) write(pixel, c, gradients[c]);
  }

 private:
  Image<T> dx_;
  Image<T> relu_output_;
  bool accumulate_;
  bool masked_;
};

/// sum of a[i] * b[i], in double for every dtype, so that the result is rounded only once.
template <class T>
double dot(const T* a, const T* b, std::int64_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// sums[i] += factor * values[i]
template <class T>
void add_scaled(double* sums, double factor, const T* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sums[i] += factor * static_cast<double>(values[i]);
}

/// max(0, value); NaN stays NaN.
inline double relu(double value) { return value < 0.0 ? 0.0 : value; }

}  // namespace minception::reference
