#pragma once
/// Element access for custom operations. The same code compiles for host loops and for CUDA kernels, to which these
/// objects are passed by value.

#include "core/host_device.h"
#include "kernels/operations/common.h"

#include <cstdint>
#include <type_traits>

namespace minception {

/// Type to compute in: double for f64, float for f32 and bf16.
template <class T>
using Compute = std::conditional_t<std::is_same_v<std::remove_const_t<T>, double>, double, float>;

/// The elements of a tensor, numbered in memory order without gaps: of an image or channel slice, element i is channel
/// i % C of pixel i / C.
template <class T>
class Elements {
 public:
  /// Throws Error for an undefined tensor, such as an input gradient that is not needed, or if the dtype is not T.
  explicit Elements(const Tensor& tensor)
      : data_(memory_of(tensor)),
        size_(tensor.elements()),
        channels_(tensor.dense() ? size_ : tensor.c()),
        stride_(tensor.dense() ? size_ : tensor.pixel_stride) {}

  MINCEPTION_HOST_DEVICE std::int64_t size() const { return size_; }
  MINCEPTION_HOST_DEVICE T& operator[](std::int64_t i) const {
    return channels_ == size_ ? data_[i] : data_[i / channels_ * stride_ + i % channels_];
  }

 private:
  static T* memory_of(const Tensor& tensor) {
    require(tensor.defined(), "Elements of an undefined tensor: is the operand missing, or dx not in `target`?");
    require(tensor.data != nullptr, "Elements of a tensor ", tensor.shape, " without memory: it has some in run only");
    return tensor.as<T>();
  }

  T* data_;
  std::int64_t size_, channels_, stride_;
};

/// Destination of an input gradient, by the same numbers.
template <class T>
class GradElements {
 public:
  explicit GradElements(const GradTarget& target)
      : dx_(target.dx),
        relu_output_(target.relu_output.defined() ? target.relu_output : target.dx),
        accumulate_(target.accumulate),
        masked_(target.relu_output.defined()) {}

  MINCEPTION_HOST_DEVICE std::int64_t size() const { return dx_.size(); }
  /// dx[i] = mask * ((accumulate ? dx[i] : 0) + gradient); see GradTarget.
  MINCEPTION_HOST_DEVICE void put(std::int64_t i, Compute<T> gradient) const {
    if (accumulate_) gradient += static_cast<Compute<T>>(dx_[i]);
    if (masked_ && !(static_cast<Compute<T>>(relu_output_[i]) > 0)) gradient = 0;
    dx_[i] = static_cast<T>(gradient);
  }

 private:
  Elements<T> dx_;
  Elements<const T> relu_output_;
  bool accumulate_, masked_;
};

/// Calls f with the element type of the tensor as template argument: float, double or bf16. Throws Error for others.
template <class F>
void for_floating(const Tensor& tensor, F&& f) {
  switch (tensor.dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    case DType::bf16:
      return f.template operator()<bf16>();
    default:
      fail("a floating type is needed, not ", name_of(tensor.dtype));
  }
}

}  // namespace minception
