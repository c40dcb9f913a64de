/// The checks behind every operation: attributes, shapes and dtypes as operations.h documents them.

#include <minception/kernels/operations.h>

#include <cmath>

namespace minception {
namespace {

class Validator {
 public:
  explicit Validator(std::string_view name) : name_(name) {}

  void operator()(const LoadBatch& op) const {
    present(op.images, "images");
    present(op.labels, "labels");
    present(op.indices, "indices");
    present(op.y, "y");
    present(op.y_labels, "y_labels");
    image(op.images, "images");
    image(op.y, "y");
    check(op.images.dtype == DType::u8 && op.images.dense(), "images must be dense u8");
    check(op.labels.dtype == DType::i32 && op.labels.shape == Shape{op.images.n()}, "labels must be i32 ",
          Shape{op.images.n()}, ", not ", op.labels.shape);
    check(op.indices.dtype == DType::i32 && op.indices.shape == Shape{op.y.n()}, "indices must be i32 ",
          Shape{op.y.n()}, ", not ", op.indices.shape);
    check(op.y_labels.dtype == DType::i32 && op.y_labels.shape == Shape{op.y.n()}, "y_labels must be i32 ",
          Shape{op.y.n()}, ", not ", op.y_labels.shape);
    check(op.y.c() == op.images.c(), "y has ", op.y.c(), " channels, images have ", op.images.c());
    for (const auto* factors : {&op.scale, &op.shift}) {
      const auto count = static_cast<std::int64_t>(factors->size());
      check(count == 1 || count == op.y.c(), "scale and shift hold 1 or ", op.y.c(), " values, not ", count);
      for (const float value : *factors) check(std::isfinite(value), "scale and shift must be finite, not ", value);
    }
    const Extent2d padding = op.augmentation.padding;
    check(padding.h >= 0 && padding.w >= 0 && (padding.h == 0 || padding.h < op.y.h()) &&
              (padding.w == 0 || padding.w < op.y.w()),
          "a padding of ", padding.h, "x", padding.w, " does not fit images of ", op.y.h(), "x", op.y.w());
    const Augmentation& a = op.augmentation;
    check(a.least_area > 0.0 && a.least_area <= 1.0, "the least area of a part must be in (0, 1], not ", a.least_area);
    check(a.most_aspect >= 1.0 && a.most_aspect <= 1e3, "the most aspect of a part must be in [1, 1000], not ",
          a.most_aspect);
    check(!a.parts() || padding == Extent2d{0, 0}, "an augmentation takes parts of images or pads them, not both");
    for (const auto& [range, name] : {std::pair{a.brightness, "brightness"}, std::pair{a.contrast, "contrast"},
                                      std::pair{a.saturation, "saturation"}}) {
      check(range >= 0.0 && range <= 1.0, "the range of ", name, " must be in [0, 1], not ", range);
    }
    check(a.saturation == 0.0 || op.y.c() == 3, "a saturation is of images with 3 channels, not ", op.y.c());
    if (a.random()) present(op.position, "position");
    if (op.position.defined()) position(op.position);
  }

  void operator()(const Conv2dForward& op) const {
    present(op.x, "x");
    present(op.w, "w");
    present(op.y, "y");
    conv(op.attributes, op.x, op.w, op.y);
    master_vector(op.bias, "bias", op.w.shape[0], op.x, true);
    packed(op.packed);
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

  void operator()(const Conv2d1x1GroupForward& op) const {
    present(op.x, "x");
    present(op.w, "w");
    group(op.x, op.w, op.y);
    master_vector(op.bias, "bias", op.w.shape[0], op.x, true);
    packed(op.packed);
  }
  void operator()(const Conv2d1x1GroupBackwardData& op) const {
    present(op.w, "w");
    check(!op.dy.empty(), "there is no dy");
    target(op.target, op.dy.front());
    group(op.target.dx, op.w, op.dy);
  }
  void operator()(const Conv2d1x1GroupBackwardWeights& op) const {
    present(op.x, "x");
    present(op.dw, "dw");
    group(op.x, op.dw, op.dy);
    master_vector(op.dbias, "dbias", op.dw.shape[0], op.x, true);
  }

  void operator()(const LinearForward& op) const {
    linear(op.x, op.w, op.y);
    master_vector(op.bias, "bias", op.w.shape[0], op.x, true);
    packed(op.packed);
  }
  void operator()(const LinearBackwardData& op) const {
    target(op.target, op.dy);
    linear(op.target.dx, op.w, op.dy);
  }
  void operator()(const LinearBackwardWeights& op) const {
    linear(op.x, op.dw, op.dy);
    master_vector(op.dbias, "dbias", op.dw.shape[0], op.x, true);
  }

  void operator()(const ReluForward& op) const { alike(op.x, op.y, "x", "y"); }
  void operator()(const ReluBackward& op) const {
    alike(op.y, op.dy, "y", "dy");
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
  }

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

  void operator()(const ConcatForward& op) const {
    present(op.y, "y");
    check(!op.x.empty(), "there is no x");
    std::int64_t channels = 0;
    for (const Tensor& x : op.x) {
      same_pixels(x, op.y, "x", "y");
      channels += x.c();
    }
    check(channels == op.y.c(), "the inputs have ", channels, " channels together, y has ", op.y.c());
  }
  void operator()(const Split& op) const {
    present(op.dy, "dy");
    check(!op.targets.empty(), "there is no dx");
    std::int64_t channels = 0;
    for (const GradTarget& part : op.targets) {
      target(part, op.dy);
      same_pixels(part.dx, op.dy, "dx", "dy");
      channels += part.dx.c();
    }
    check(channels == op.dy.c(), "the parts have ", channels, " channels together, dy has ", op.dy.c());
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

  void operator()(const BatchNormForwardTraining& op) const {
    batch_norm(op.attributes);
    alike(op.x, op.y, "x", "y");
    image(op.x, "x");
    master_vector(op.gamma, "gamma", op.x.c(), op.x);
    master_vector(op.beta, "beta", op.x.c(), op.x);
    master_vector(op.running_mean, "running_mean", op.x.c(), op.x);
    master_vector(op.running_var, "running_var", op.x.c(), op.x);
    master_vector(op.mean, "mean", op.x.c(), op.x);
    master_vector(op.rstd, "rstd", op.x.c(), op.x);
  }
  void operator()(const BatchNormForwardInference& op) const {
    batch_norm(op.attributes);
    alike(op.x, op.y, "x", "y");
    image(op.x, "x");
    master_vector(op.gamma, "gamma", op.x.c(), op.x);
    master_vector(op.beta, "beta", op.x.c(), op.x);
    master_vector(op.running_mean, "running_mean", op.x.c(), op.x);
    master_vector(op.running_var, "running_var", op.x.c(), op.x);
  }
  void operator()(const BatchNormBackward& op) const {
    alike(op.x, op.dy, "x", "dy");
    image(op.x, "x");
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
    master_vector(op.gamma, "gamma", op.x.c(), op.x);
    master_vector(op.mean, "mean", op.x.c(), op.x);
    master_vector(op.rstd, "rstd", op.x.c(), op.x);
    master_vector(op.dgamma, "dgamma", op.x.c(), op.x);
    master_vector(op.dbeta, "dbeta", op.x.c(), op.x);
  }
  void operator()(const BatchNormBackwardInference& op) const {
    batch_norm(op.attributes);
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
    master_vector(op.gamma, "gamma", op.dy.c(), op.dy);
    master_vector(op.running_var, "running_var", op.dy.c(), op.dy);
  }
  void operator()(const FoldBatchNorm& op) const {
    present(op.w, "w");
    present(op.folded_w, "folded_w");
    check(op.w.is_image() && op.w.elements() > 0 && op.w.dense() &&
              (op.w.dtype == DType::f32 || op.w.dtype == DType::f64),
          "w must be dense f32 or f64 (O, I, KH, KW), not ", name_of(op.w.dtype), " ", op.w.shape);
    check(op.folded_w.shape == op.w.shape && op.folded_w.dtype == op.w.dtype && op.folded_w.dense(), "folded_w ",
          op.folded_w.shape, " and w ", op.w.shape, " differ");
    check(op.epsilon > 0.0 && std::isfinite(op.epsilon), "an epsilon of ", op.epsilon, " must be above 0");
    master_vector(op.gamma, "gamma", op.w.n(), op.w);
    master_vector(op.beta, "beta", op.w.n(), op.w);
    master_vector(op.running_mean, "running_mean", op.w.n(), op.w);
    master_vector(op.running_var, "running_var", op.w.n(), op.w);
    master_vector(op.folded_bias, "folded_bias", op.w.n(), op.w);
  }
  void operator()(const LocalResponseNormForward& op) const {
    alike(op.x, op.y, "x", "y");
    image(op.x, "x");
    local_response_norm(op.attributes);
  }
  void operator()(const LocalResponseNormBackward& op) const {
    alike(op.x, op.dy, "x", "dy");
    image(op.x, "x");
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
    local_response_norm(op.attributes);
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

  void operator()(const SoftmaxCrossEntropy& op) const {
    present(op.logits, "logits");
    present(op.labels, "labels");
    present(op.totals, "totals");
    check(op.logits.shape.rank() == 2 && op.logits.dense(), "logits must be dense (N, K), not ", op.logits.shape);
    image(op.logits, "logits");
    floating(op.logits, "logits");
    check(op.labels.dtype == DType::i32 && op.labels.shape == Shape{op.logits.n()}, "labels must be i32 ",
          Shape{op.logits.n()}, ", not ", op.labels.shape);
    check(op.totals.shape == Shape{2} && op.totals.dtype == master(op.logits), "totals must be ",
          name_of(master(op.logits)), " [2], not ", op.totals.shape);
    if (op.dlogits.defined()) alike(op.logits, op.dlogits, "logits", "dlogits");
    check(op.label_smoothing >= 0.0 && op.label_smoothing <= 1.0, "label smoothing must be between 0 and 1, not ",
          op.label_smoothing);
    check(op.divisor > 0.0 && std::isfinite(op.divisor), "the divisor must be positive, not ", op.divisor);
    check(std::isfinite(op.weight), "the weight must be finite, not ", op.weight);
  }
  void operator()(const SgdStep& op) const {
    schedule(op.schedule);
    flat(op.w, "w");
    same_flat(op.g, op.w, "g", "w");
    if (op.v.defined()) same_flat(op.v, op.w, "v", "w");
    factor(op.factor, op.w);
    segments(op.segments, op.w);
  }
  void operator()(const AdamStep& op) const {
    step(op.step);
    schedule(op.schedule);
    flat(op.w, "w");
    same_flat(op.g, op.w, "g", "w");
    same_flat(op.m, op.w, "m", "w");
    same_flat(op.v, op.w, "v", "w");
    factor(op.factor, op.w);
    segments(op.segments, op.w);
    check(op.beta2 >= 0.0 && op.beta2 < 1.0, "beta2 must be in [0, 1), not ", op.beta2);
    check(op.epsilon >= 0.0 && std::isfinite(op.epsilon), "epsilon must be 0 or more, not ", op.epsilon);
  }
  void operator()(const ClipFactor& op) const {
    flat(op.g, "g");
    present(op.factor, "factor");
    factor(op.factor, op.g);
    segments(op.segments, op.g);
    check(op.max_norm > 0.0, "the largest norm must be positive, not ", op.max_norm);
  }
  void operator()(const EmaUpdate& op) const {
    step(op.step);
    flat(op.w, "w");
    same_flat(op.average, op.w, "average", "w");
    check(op.decay >= 0.0 && op.decay <= 1.0, "the decay must be between 0 and 1, not ", op.decay);
  }
  void operator()(const SegmentNorms& op) const {
    flat(op.x, "x");
    present(op.y, "y");
    const Shape expected = {static_cast<std::int64_t>(op.segments.size()), 2};
    check(op.y.shape == expected && op.y.dense() && op.y.dtype == op.x.dtype, "y must be dense ", name_of(op.x.dtype),
          " ", expected, ", not ", name_of(op.y.dtype), " ", op.y.shape);
    segments(op.segments, op.x);
  }

 private:
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
  /// A floating tensor of any rank.
  void elements(const Tensor& tensor, const char* role) const {
    floating(tensor, role);
    if (tensor.is_image()) image(tensor, role);
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
  /// The same N and C.
  void same_images(const Tensor& a, const Tensor& b, const char* role_a, const char* role_b) const {
    present(a, role_a);
    present(b, role_b);
    image(a, role_a);
    image(b, role_b);
    compute_dtype(a, b, role_a, role_b);
    check(a.n() == b.n() && a.c() == b.c(), role_a, " is ", a.shape, " but ", role_b, " is ", b.shape);
  }
  /// The same N, H and W.
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
  void packed(const Tensor& packed) const {
    if (packed.defined()) check(packed.dtype == DType::u8 && packed.shape.rank() == 1, "packed must be flat u8");
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
    check(!ys.empty(), "there are no members");
    image(x, "the input");
    check(w.shape.rank() == 4 && w.dense() && w.shape[1] == x.c() && w.shape[2] == 1 && w.shape[3] == 1 &&
              w.dtype == master(x),
          "weights ", w.shape, " do not fit an input ", x.shape);
    std::int64_t channels = 0;
    for (const Tensor& y : ys) {
      same_pixels(y, x, "a member", "the input");
      channels += y.c();
    }
    check(channels == w.shape[0], "the members have ", channels, " channels together, the weights ", w.shape[0]);
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
          attributes.kernel.w, " has more than 256 taps");
  }
  void flatten(const Tensor& x, const Tensor& y) const {
    present(x, "the input");
    present(y, "the output");
    image(x, "the input");
    compute_dtype(x, y, "the input", "the output");
    check(y.shape == Shape({x.n(), x.c() * x.h() * x.w()}) && y.dense(), "the output of an input ", x.shape,
          " must be dense ", Shape{x.n(), x.c() * x.h() * x.w()}, ", not ", y.shape);
  }
  void batch_norm(const BatchNormAttributes& attributes) const {
    check(attributes.epsilon > 0.0 && std::isfinite(attributes.epsilon) && attributes.momentum >= 0.0 &&
              attributes.momentum <= 1.0,
          "epsilon ", attributes.epsilon, " or momentum ", attributes.momentum, " is not possible");
  }
  void local_response_norm(const LocalResponseNormAttributes& a) const {
    check(a.size >= 1, "the window must hold at least one channel, not ", a.size);
    // Else the sum whose power is taken could be 0 or negative.
    check(a.k > 0.0 && a.alpha >= 0.0 && std::isfinite(a.k) && std::isfinite(a.alpha) && std::isfinite(a.beta), "k ",
          a.k, " must be above 0, alpha ", a.alpha, " 0 or more, beta ", a.beta, " finite");
  }
  void dropout(const DropoutAttributes& attributes, const Tensor& where) const {
    check(attributes.p >= 0.0 && attributes.p < 1.0, "the probability must be in [0, 1), not ", attributes.p);
    position(where);
  }
  void position(const Tensor& position) const {
    check(position.dtype == DType::i64 && position.shape == Shape{2}, "position must be i64 [2]");
  }
  /// One flat buffer of master values.
  void flat(const Tensor& buffer, const char* role) const {
    present(buffer, role);
    check(buffer.shape.rank() == 1 && (buffer.dtype == DType::f32 || buffer.dtype == DType::f64), role,
          " must be one flat f32 or f64 buffer, not ", name_of(buffer.dtype), " ", buffer.shape);
  }
  void same_flat(const Tensor& a, const Tensor& b, const char* role_a, const char* role_b) const {
    present(a, role_a);
    check(a.shape == b.shape && a.dtype == b.dtype, role_a, " ", a.shape, " and ", role_b, " ", b.shape, " differ");
  }
  void schedule(const Tensor& schedule) const {
    present(schedule, "schedule");
    check(schedule.dtype == DType::f32 && schedule.shape == Shape{2}, "schedule must be f32 [2]");
  }
  void step(const Tensor& step) const {
    present(step, "step");
    check(step.dtype == DType::i64 && step.shape == Shape{1}, "step must be i64 [1]");
  }
  void factor(const Tensor& factor, const Tensor& buffer) const {
    if (!factor.defined()) return;
    check(factor.dtype == buffer.dtype && factor.shape == Shape{1}, "factor must be ", name_of(buffer.dtype),
          " [1], not ", name_of(factor.dtype), " ", factor.shape);
  }
  void segments(const std::vector<ParameterSegment>& segments, const Tensor& buffer) const {
    std::int64_t end = 0;
    for (const ParameterSegment& segment : segments) {
      check(segment.begin >= end && segment.count >= 0, "segments must be ordered and disjoint");
      end = segment.begin + segment.count;
      check(end <= buffer.shape[0], "a segment ends at ", end, ", the buffer at ", buffer.shape[0]);
      const auto [first, count, scale, decay, trains] = segment;
      check(scale >= 0.0 && std::isfinite(scale) && decay >= 0.0 && std::isfinite(decay), "learning rate scale ", scale,
            " and weight decay ", decay, " of a segment must be 0 or more");
    }
  }

  std::string_view name_;
};

}  // namespace

void validate(const Operation& operation) { std::visit(Validator(name_of(operation)), operation); }

}  // namespace minception
