#pragma once
/// Checks shared by the validators of all families. Messages begin with the name of the operation.

#include "core/error.h"
#include "core/tensor.h"
#include "kernels/operations/common.h"

#include <cstdint>
#include <string_view>

namespace minception {

class Validator {
 public:
  explicit Validator(std::string_view name) : name_(name) {}

 protected:
  template <class... Args>
  void check(bool condition, const Args&... args) const {
    if (!condition) fail(name_, ": ", args...);
  }
  static DType master(const Tensor& tensor) { return tensor.dtype == DType::bf16 ? DType::f32 : tensor.dtype; }
  void present(const Tensor& tensor, const char* role) const {
    check(tensor.defined(), "the operand ", role, " is missing");
  }
  void image(const Tensor& tensor, const char* role) const {
    check(tensor.is_image(), role, " must be (N, C, H, W), not ", tensor.shape);
    check(tensor.elements() > 0, role, " is empty: ", tensor.shape);
    check(tensor.pixel_stride >= tensor.c(), role, " has a pixel stride of ", tensor.pixel_stride, " for ", tensor.c(),
          " channels");
  }
  void floating(const Tensor& tensor, const char* role) const {
    check(tensor.dtype == DType::f32 || tensor.dtype == DType::f64 || tensor.dtype == DType::bf16, role,
          " must be a floating type, not ", name_of(tensor.dtype));
  }
  void compute_dtype(const Tensor& a, const Tensor& b, const char* role_a, const char* role_b) const {
    check(a.dtype == b.dtype, role_a, " is ", name_of(a.dtype), " but ", role_b, " is ", name_of(b.dtype));
    floating(a, role_a);
  }
  void alike(const Tensor& a, const Tensor& b, const char* role_a, const char* role_b) const {
    present(a, role_a);
    present(b, role_b);
    image(a, role_a);
    image(b, role_b);
    check(a.shape == b.shape, role_a, " is ", a.shape, " but ", role_b, " is ", b.shape);
    compute_dtype(a, b, role_a, role_b);
  }
  /// Requires the same N, H and W.
  void same_pixels(const Tensor& a, const Tensor& b, const char* role_a, const char* role_b) const {
    present(a, role_a);
    image(a, role_a);
    image(b, role_b);
    compute_dtype(a, b, role_a, role_b);
    check(a.n() == b.n() && a.h() == b.h() && a.w() == b.w(), role_a, " is ", a.shape, " but ", role_b, " is ",
          b.shape);
  }
  void target(const GradTarget& target, const Tensor& dy) const {
    present(dy, "dy");
    present(target.dx, "dx");
    compute_dtype(dy, target.dx, "dy", "dx");
    if (target.relu_output.defined()) alike(target.dx, target.relu_output, "dx", "relu_output");
  }
  void master_vector(const Tensor& vector, const char* role, std::int64_t length, const Tensor& x,
                     bool optional = false) const {
    if (optional && !vector.defined()) return;
    present(vector, role);
    check(vector.shape == Shape{length} && vector.dtype == master(x), role, " must be ", name_of(master(x)), " ",
          Shape{length}, ", not ", name_of(vector.dtype), " ", vector.shape);
  }
  void position(const Tensor& position) const {
    check(position.dtype == DType::i64 && position.shape == Shape{2}, "position must be i64 [2]");
  }

 private:
  std::string_view name_;
};

}  // namespace minception
