#include "kernels/operations/elementwise.h"
#include "kernels/operations/validator.h"

#include <cmath>
#include <utility>

namespace minception {
namespace {

class ElementwiseValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const ReluForward& op) const { alike(op.x, op.y, "x", "y"); }
  void operator()(const ReluBackward& op) const {
    alike(op.y, op.dy, "y", "dy");
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
  }
  void operator()(const GeluForward& op) const { alike(op.x, op.y, "x", "y"); }
  void operator()(const GeluBackward& op) const {
    alike(op.x, op.dy, "x", "dy");
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
  }
  void operator()(const ConcatForward& op) const {
    present(op.y, "y");
    check(!op.x.empty(), "x is missing");
    std::int64_t channels = 0;
    for (const Tensor& x : op.x) {
      same_pixels(x, op.y, "x", "y");
      channels += x.c();
    }
    check(channels == op.y.c(), "the inputs have ", channels, " channels together but y has ", op.y.c());
  }
  void operator()(const Split& op) const {
    present(op.dy, "dy");
    check(!op.targets.empty(), "dx is missing");
    std::int64_t channels = 0;
    for (const GradTarget& part : op.targets) {
      target(part, op.dy);
      same_pixels(part.dx, op.dy, "dx", "dy");
      channels += part.dx.c();
    }
    check(channels == op.dy.c(), "the parts have ", channels, " channels together but dy has ", op.dy.c());
  }
  void operator()(const FlattenForward& op) const { flatten(op.x, op.y); }
  void operator()(const FlattenBackward& op) const {
    target(op.target, op.dy);
    flatten(op.target.dx, op.dy);
  }
  void operator()(const AddForward& op) const {
    check(std::isfinite(op.scale), "the scale must be finite, not ", op.scale);
    alike(op.a, op.b, "a", "b");
    alike(op.a, op.y, "a", "y");
  }
  void operator()(const AddBackward& op) const {
    target(op.da, op.dy);
    target(op.db, op.dy);
    alike(op.dy, op.da.dx, "dy", "da");
    alike(op.dy, op.db.dx, "dy", "db");
    check(std::isfinite(op.scale), "the scale must be finite, not ", op.scale);
  }
  void operator()(const Fill& op) const {
    present(op.y, "y");
    elements(op.y, "y");
  }
  void operator()(const Cast& op) const {
    present(op.x, "x");
    present(op.y, "y");
    elements(op.x, "x");
    elements(op.y, "y");
    check(op.x.shape == op.y.shape, "x is ", op.x.shape, " but y is ", op.y.shape);
  }
  void operator()(const DropoutForward& op) const {
    dropout(op.attributes, op.position);
    alike(op.x, op.y, "x", "y");
  }
  void operator()(const DropoutBackward& op) const {
    dropout(op.attributes, op.position);
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
  }

 private:
  /// Requires a floating tensor of any rank.
  void elements(const Tensor& tensor, const char* role) const {
    floating(tensor, role);
    if (tensor.is_image()) image(tensor, role);
  }
  void flatten(const Tensor& x, const Tensor& y) const {
    present(x, "the input");
    present(y, "the output");
    image(x, "the input");
    compute_dtype(x, y, "the input", "the output");
    check(y.shape == Shape({x.n(), x.c() * x.h() * x.w()}) && y.dense(), "the output of an input ", x.shape,
          " must be dense ", Shape{x.n(), x.c() * x.h() * x.w()}, ", not ", y.shape);
  }
  void dropout(const DropoutAttributes& attributes, const Tensor& where) const {
    check(attributes.p >= 0.0 && attributes.p < 1.0, "the probability must be in [0, 1), not ", attributes.p);
    position(where);
  }
};

}  // namespace

#define DEFINE(Struct, name) \
  void validate(const Struct& op) { ElementwiseValidator(#name)(op); }
MINCEPTION_ELEMENTWISE_OPERATIONS(DEFINE)

}  // namespace minception
