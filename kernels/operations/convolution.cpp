#include "kernels/operations/convolution.h"
#include "kernels/operations/validator.h"

#include <cmath>
#include <utility>

namespace minception {
namespace {

class ConvolutionValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const Conv2dForward& op) const {
    present(op.x, "x");
    present(op.w, "w");
    present(op.y, "y");
    conv(op.attributes, op.x, op.w, op.y);
    master_vector(op.bias, "bias", op.w.shape[0], op.x, true);
    prepacked(op.prepacked);
  }
  void operator()(const Conv2dBackwardData& op) const {
    present(op.dy, "dy");
    present(op.w, "w");
    target(op.target, op.dy);
    conv(op.attributes, op.target.dx, op.w, op.dy);
  }
  void operator()(const Conv2dBackwardWeights& op) const {
    present(op.x, "x");
    present(op.dy, "dy");
    present(op.dw, "dw");
    conv(op.attributes, op.x, op.dw, op.dy);
    master_vector(op.dbias, "dbias", op.dw.shape[0], op.x, true);
  }
  void operator()(const Conv2dFused1x1Forward& op) const {
    present(op.x, "x");
    present(op.w, "w");
    group(op.x, op.w, op.y);
    master_vector(op.bias, "bias", op.w.shape[0], op.x, true);
    prepacked(op.prepacked);
  }
  void operator()(const Conv2dFused1x1BackwardData& op) const {
    present(op.w, "w");
    check(!op.dy.empty(), "dy is missing");
    target(op.target, op.dy.front());
    group(op.target.dx, op.w, op.dy);
  }
  void operator()(const Conv2dFused1x1BackwardWeights& op) const {
    present(op.x, "x");
    present(op.dw, "dw");
    group(op.x, op.dw, op.dy);
    master_vector(op.dbias, "dbias", op.dw.shape[0], op.x, true);
  }
  void operator()(const LinearForward& op) const {
    linear(op.x, op.w, op.y);
    master_vector(op.bias, "bias", op.w.shape[0], op.x, true);
    prepacked(op.prepacked);
  }
  void operator()(const LinearBackwardData& op) const {
    target(op.target, op.dy);
    linear(op.target.dx, op.w, op.dy);
  }
  void operator()(const LinearBackwardWeights& op) const {
    linear(op.x, op.dw, op.dy);
    master_vector(op.dbias, "dbias", op.dw.shape[0], op.x, true);
  }

 private:
  void prepacked(const Tensor& prepacked) const {
    if (prepacked.defined())
      check(prepacked.dtype == DType::u8 && prepacked.shape.rank() == 1, "prepacked must be flat u8");
  }
  void conv(const Conv2dAttributes& attributes, const Tensor& x, const Tensor& w, const Tensor& y) const {
    image(x, "the input");
    image(y, "the output");
    compute_dtype(x, y, "the input", "the output");
    check(w.shape.rank() == 4 && w.dense() && w.dtype == master(x), "weights must be dense ", name_of(master(x)),
          " (O, I, KH, KW), not ", name_of(w.dtype), " ", w.shape);
    check(w.elements() > 0, "weights ", w.shape, " are empty");
    const auto [stride, padding, relu] = attributes;
    check(stride.h >= 1 && stride.w >= 1 && padding.h >= 0 && padding.w >= 0, "stride ", stride.h, "x", stride.w,
          " or padding ", padding.h, "x", padding.w, " is not possible");
    check(w.shape[1] == x.c(), "the input ", x.shape, " has ", x.c(), " channels, the weights ", w.shape, " expect ",
          w.shape[1]);
    const Shape expected = {x.n(), w.shape[0], convolved_extent(x.h(), w.shape[2], stride.h, padding.h),
                            convolved_extent(x.w(), w.shape[3], stride.w, padding.w)};
    check(expected.elements() > 0, "input ", x.shape, " and weights ", w.shape, " leave no output");
    check(y.n() == expected[0] && y.c() == expected[1] && y.h() == expected[2] && y.w() == expected[3],
          "the output must be ", expected, ", not ", y.shape);
  }
  void group(const Tensor& x, const Tensor& w, const std::vector<Tensor>& ys) const {
    check(!ys.empty(), "the members are missing");
    image(x, "the input");
    check(w.shape.rank() == 4 && w.dense() && w.shape[1] == x.c() && w.shape[2] == 1 && w.shape[3] == 1 &&
              w.dtype == master(x),
          "weights ", w.shape, " do not fit an input ", x.shape);
    std::int64_t channels = 0;
    for (const Tensor& y : ys) {
      same_pixels(y, x, "a member", "the input");
      channels += y.c();
    }
    check(channels == w.shape[0], "the members have ", channels, " channels together but the weights have ",
          w.shape[0]);
  }
  void linear(const Tensor& x, const Tensor& w, const Tensor& y) const {
    present(x, "the input");
    present(w, "the weights");
    present(y, "the output");
    compute_dtype(x, y, "the input", "the output");
    check(x.shape.rank() == 2 && y.shape.rank() == 2 && x.dense() && y.dense(),
          "input and output must be dense (N, features), not ", x.shape, " and ", y.shape);
    image(x, "the input");
    image(y, "the output");
    check(w.shape == Shape({y.c(), x.c()}) && w.dense() && w.dtype == master(x) && x.n() == y.n(), "input ", x.shape,
          ", weights ", w.shape, " and output ", y.shape, " do not fit");
  }
};

}  // namespace

#define DEFINE(Struct, name) \
  void validate(const Struct& op) { ConvolutionValidator(#name)(op); }
MINCEPTION_CONVOLUTION_OPERATIONS(DEFINE)

}  // namespace minception
