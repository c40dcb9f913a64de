#include "kernels/operations/pooling.h"
#include "kernels/operations/validator.h"

#include <cmath>
#include <utility>

namespace minception {
namespace {

class PoolingValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const MaxPool2dForward& op) const {
    pool(op.attributes, op.x, op.y, "x", "y");
    if (op.argmax.defined()) argmax(op.attributes, op.argmax, op.y);
  }
  void operator()(const MaxPool2dBackward& op) const {
    target(op.target, op.dy);
    pool(op.attributes, op.target.dx, op.dy, "dx", "dy");
    present(op.argmax, "argmax");
    argmax(op.attributes, op.argmax, op.dy);
  }
  void operator()(const AvgPool2dForward& op) const { pool(op.attributes, op.x, op.y, "x", "y"); }
  void operator()(const AvgPool2dBackward& op) const {
    target(op.target, op.dy);
    pool(op.attributes, op.target.dx, op.dy, "dx", "dy");
  }
  void operator()(const AdaptiveAvgPool2dForward& op) const { same_images(op.x, op.y, "x", "y"); }
  void operator()(const AdaptiveAvgPool2dBackward& op) const {
    target(op.target, op.dy);
    same_images(op.target.dx, op.dy, "dx", "dy");
  }
  void operator()(const GlobalAvgPoolForward& op) const {
    same_images(op.x, op.y, "x", "y");
    check(op.y.h() == 1 && op.y.w() == 1, "y must be one pixel per image, not ", op.y.shape);
  }
  void operator()(const GlobalAvgPoolBackward& op) const {
    target(op.target, op.dy);
    same_images(op.target.dx, op.dy, "dx", "dy");
    check(op.dy.h() == 1 && op.dy.w() == 1, "dy must be one pixel per image, not ", op.dy.shape);
  }

 private:
  /// Requires the same N and C.
  void same_images(const Tensor& a, const Tensor& b, const char* role_a, const char* role_b) const {
    present(a, role_a);
    present(b, role_b);
    image(a, role_a);
    image(b, role_b);
    compute_dtype(a, b, role_a, role_b);
    check(a.n() == b.n() && a.c() == b.c(), role_a, " is ", a.shape, " but ", role_b, " is ", b.shape);
  }
  void pool(const Pool2dAttributes& attributes, const Tensor& x, const Tensor& y, const char* role_x,
            const char* role_y) const {
    same_images(x, y, role_x, role_y);
    const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = attributes;
    check(kernel.h >= 1 && kernel.w >= 1 && stride.h >= 1 && stride.w >= 1 && padding.h >= 0 && padding.w >= 0,
          "kernel ", kernel.h, "x", kernel.w, ", stride ", stride.h, "x", stride.w, " or padding ", padding.h, "x",
          padding.w, " is not possible");
    check(2 * padding.h <= kernel.h && 2 * padding.w <= kernel.w, "padding ", padding.h, "x", padding.w,
          " is more than half of the kernel ", kernel.h, "x", kernel.w);
    const Shape expected = {x.n(), x.c(), pooled_extent(x.h(), kernel.h, stride.h, padding.h, ceil_mode),
                            pooled_extent(x.w(), kernel.w, stride.w, padding.w, ceil_mode)};
    check(y.h() == expected[2] && y.w() == expected[3], role_y, " must be ", expected, ", not ", y.shape);
  }
  void argmax(const Pool2dAttributes& attributes, const Tensor& argmax, const Tensor& y) const {
    check(argmax.dtype == DType::u8 && argmax.shape == y.shape && argmax.dense(), "argmax must be dense u8 ", y.shape,
          ", not ", argmax.shape);
    check(attributes.kernel.h * attributes.kernel.w <= 256, "a kernel of ", attributes.kernel.h, "x",
          attributes.kernel.w, " has more than 256 positions");
  }
};

}  // namespace

#define DEFINE(Struct, name) \
  void validate(const Struct& op) { PoolingValidator(#name)(op); }
MINCEPTION_POOLING_OPERATIONS(DEFINE)

}  // namespace minception
