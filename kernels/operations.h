#pragma once
/// The operations: what each computes, on which shapes, what may alias, what is overwritten (`=`) and what is
/// accumulated (`+=`), and what is rejected. Backends carry them out (backend.h); planning writes lists of them.
///
/// Conventions
/// - Shapes are (N, C, H, W); memory is channels-last; every image operand may be a channel slice unless stated
///   otherwise. Rank 2, (N, C), is an image of one pixel.
/// - Floating operands of one operation share a dtype, the compute dtype, except where stated: parameters and their
///   gradients, batch-norm statistics and totals are f32 when computing in bf16 ("master" dtype below), else the
///   compute dtype.
/// - `run` rejects a wrong shape, dtype or attribute with an Error that names the operation and the values: images and
///   weights without elements and settings that are not finite, too.
/// - Operands do not alias one another unless the operation says so. NaN and infinity propagate.
/// - Gradients follow from  dL/dx = sum dL/dy * dy/dx;  `dy` is always dL/dy.
///
/// Every struct lists its operands once, in `each_operand(op, f)`, f(role, tensor, access): memory lifetimes, partial
/// batches, printing and tests all read that list.

#include <minception/core/augmentation.h>
#include <minception/core/tensor.h>

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace minception {

enum class Access : std::uint8_t { read, write, read_write };

struct Extent2d {
  std::int64_t h = 1;
  std::int64_t w = 1;
  bool operator==(const Extent2d&) const = default;
};

/// Where an input gradient goes:  dx = mask * ((accumulate ? dx : 0) + gradient),  mask = relu_output > 0 where that is
/// given, else 1. So branches sum into one buffer, and the last of them applies the ReLU of the layer below, once.
/// `relu_output` has dx's shape and is the output of that ReLU; NaN there masks to 0.
struct GradTarget {
  Tensor dx;
  bool accumulate = false;
  Tensor relu_output = {};

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dx", self.dx, self.accumulate ? Access::read_write : Access::write);
    f("relu_output", self.relu_output, Access::read);
  }
};

// ---- input ----------------------------------------------------------------------------------------------------------

/// Pad-and-crop and horizontal flip (He et al. 2016, section 4.2), parts of any size and shape (Szegedy et al. 2015,
/// section 6), other light (Howard 2013). The default changes nothing.
struct Augmentation {
  Extent2d padding = {0, 0};  ///< zeros around the image that crops may reach into
  bool flip = false;          ///< mirrors left and right, in one of two cases
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;
  double least_area = 1.0;   ///< below 1: parts of an image, of at least this part of its area
  double most_aspect = 1.0;  ///< above 1: and up to so much wider than high, or higher than wide
  /// 0: untouched; else how far brightness, contrast, saturation may be from 1.
  double brightness = 0.0, contrast = 0.0, saturation = 0.0;

  bool parts() const { return least_area < 1.0 || most_aspect > 1.0; }
  bool random() const {
    return padding != Extent2d{0, 0} || flip || parts() || brightness > 0.0 || contrast > 0.0 || saturation > 0.0;
  }
  AugmentationSource source(const Tensor& position) const {
    if (!random()) return {};
    return {seed,
            stream,
            static_cast<int>(padding.h),
            static_cast<int>(padding.w),
            flip,
            least_area,
            most_aspect,
            static_cast<float>(brightness),
            static_cast<float>(contrast),
            static_cast<float>(saturation),
            position.as<const std::int64_t>()};
  }
};

/// Gathers samples of a resident data set, resizes, augments and normalises them:
///   y[n, c] = colour(augment(resize(part(images[indices[n]]))))[c] * scale[c] + shift[c],
///   y_labels[n] = labels[indices[n]].
/// images: (M, C, h, w) u8, dense.  labels: (M) i32.  indices: (N) i32, each in [0, M).  y: (N, C, H, W).
/// Bilinear with half-pixel centres: output pixel i samples at (i + 0.5) * h / H - 0.5, clamped to the image, from its
/// two neighbours; no antialiasing (PyTorch `interpolate(mode="bilinear", align_corners=False)`). With (H, W) = (h, w)
/// pixels are copied. scale and shift hold one value for all channels or one per channel.
/// For the sample at position s of the epoch, with r = Random{seed, stream << 32 | epoch} (core/augmentation.h):
///   oy = r.bits(4s) mod (2*padding.h + 1),   ox = r.bits(4s + 1) mod (2*padding.w + 1),   odd = r.bits(4s + 2) & 1,
///   augment(x)[i, j] = x[i + oy - padding.h, j' + ox - padding.w],   j' = W - 1 - j with `flip` and odd, else j,
/// where x is 0 outside of the image. part(x) is x, or where the augmentation takes parts its draw_box of the stream after
/// that, in place of the whole image in the line on resizing; padding must be 0 then. colour(x) is x, or where one of the
/// three ranges is above 0 the draw_colour of the stream after that, on values in [0, 255]. A saturation needs 3 channels.
/// position: (2) i64 = {epoch, position in the epoch of the batch's first sample}; needed where the augmentation is
/// random, else optional and not read.
/// `reference` and `cpu` reject an index that is not in [0, M); `cuda`, which cannot throw from a kernel, answers with
/// NaN and the label -1. `cuda` takes at most 4 values of scale and of shift.
struct LoadBatch {
  std::vector<float> scale = {1.0f / 255.0f};
  std::vector<float> shift = {0.0f};
  Augmentation augmentation = {};
  Tensor images, labels, indices, position, y, y_labels;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("images", self.images, Access::read);
    f("labels", self.labels, Access::read);
    f("indices", self.indices, Access::read);
    f("position", self.position, Access::read);
    f("y", self.y, Access::write);
    f("y_labels", self.y_labels, Access::write);
  }
};

// ---- convolution ----------------------------------------------------------------------------------------------------

/// Output extent of a convolution or floor-mode pool: floor((in + 2*padding - kernel) / stride) + 1, or 0 if the kernel
/// does not fit.
std::int64_t convolved_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding);

struct Conv2dAttributes {
  Extent2d stride = {1, 1};
  Extent2d padding = {0, 0};  ///< zeros on both sides
  bool relu = false;          ///< forward: y = max(0, ...). Backward expects dy already masked by (y > 0).
};

/// y[n,o,p,q] = bias[o] + sum_{i,r,s} w[o,i,r,s] * x[n, i, p*stride.h + r - padding.h, q*stride.w + s - padding.w],
/// then ReLU if asked. (A cross-correlation, as everywhere in the field.)
/// x: (N, I, H, W).  w: (O, I, KH, KW), master.  bias: (O), master, optional.  y: (N, O, P, Q).
/// With `relu`, the cpu backend may turn NaN into 0: oneDNN's fused ReLU does. `reference` propagates it.
/// `packed`, optional: memory of `Requirements::packed` bytes for the weights in the backend's own layout, kept between
/// runs; it is refreshed from `w` when `refresh_packed` is set, and must be refreshed when `w` or N changed.
struct Conv2dForward {
  Conv2dAttributes attributes;
  Tensor x, w, bias, y, packed;
  bool refresh_packed = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("w", self.w, Access::read);
    f("bias", self.bias, Access::read);
    f("y", self.y, Access::write);
    f("packed", self.packed, Access::read_write);
  }
};

/// dx[n,i,h,w] (GradTarget) = sum over the (o,p,q,r,s) with p*stride.h + r - padding.h = h, likewise w, of
/// w[o,i,r,s] * dy[n,o,p,q].
struct Conv2dBackwardData {
  Conv2dAttributes attributes;
  Tensor dy, w;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    f("w", self.w, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// dw[o,i,r,s] (+)= sum_{n,p,q} dy[n,o,p,q] * x[n, i, p*stride.h + r - padding.h, ...];  dbias[o] (+)= sum dy[n,o,p,q].
/// Parameter gradients are overwritten, or added to with `accumulate`. dbias is optional. Both are master.
struct Conv2dBackwardWeights {
  Conv2dAttributes attributes;
  Tensor x, dy, dw, dbias;
  bool accumulate = false;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    const Access access = self.accumulate ? Access::read_write : Access::write;
    f("x", self.x, Access::read);
    f("dy", self.dy, Access::read);
    f("dw", self.dw, access);
    f("dbias", self.dbias, access);
  }
};

/// Several 1x1 convolutions, stride 1, no padding, of one input, as one GEMM (the opening of an Inception block):
///   y[j] = x * w[rows of j]^T + bias[rows of j], then ReLU if asked.
/// x: (N, I, H, W).  w: (sum of O_j, I, 1, 1): the weights of all members, one after the other.  bias: (sum of O_j),
/// optional.  y[j]: (N, O_j, H, W).  `packed` as in Conv2dForward.
struct Conv2d1x1GroupForward {
  bool relu = false;
  Tensor x, w, bias;
  std::vector<Tensor> y;
  Tensor packed;
  bool refresh_packed = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("w", self.w, Access::read);
    f("bias", self.bias, Access::read);
    for (auto& y : self.y) f("y", y, Access::write);
    f("packed", self.packed, Access::read_write);
  }
};

/// dx (GradTarget) = sum_j dy[j] * w[rows of j].  An addend (the pool branch's gradient) already in dx joins through
/// `target.accumulate`.
struct Conv2d1x1GroupBackwardData {
  std::vector<Tensor> dy;
  Tensor w;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    for (auto& dy : self.dy) f("dy", dy, Access::read);
    f("w", self.w, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// dw[rows of j] (+)= dy[j]^T * x;  dbias[rows of j] (+)= sum over pixels of dy[j].
struct Conv2d1x1GroupBackwardWeights {
  Tensor x;
  std::vector<Tensor> dy;
  Tensor dw, dbias;
  bool accumulate = false;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    const Access access = self.accumulate ? Access::read_write : Access::write;
    f("x", self.x, Access::read);
    for (auto& dy : self.dy) f("dy", dy, Access::read);
    f("dw", self.dw, access);
    f("dbias", self.dbias, access);
  }
};

// ---- fully connected ------------------------------------------------------------------------------------------------

/// y[n,o] = bias[o] + sum_i w[o,i] * x[n,i].   x: (N, I).  w: (O, I).  bias: (O), optional.  y: (N, O).
/// x, y and their gradients are dense. `packed` as in Conv2dForward.
struct LinearForward {
  Tensor x, w, bias, y, packed;
  bool refresh_packed = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("w", self.w, Access::read);
    f("bias", self.bias, Access::read);
    f("y", self.y, Access::write);
    f("packed", self.packed, Access::read_write);
  }
};

/// dx[n,i] (GradTarget) = sum_o w[o,i] * dy[n,o].
struct LinearBackwardData {
  Tensor dy, w;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    f("w", self.w, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// dw[o,i] (+)= sum_n dy[n,o] * x[n,i];  dbias[o] (+)= sum_n dy[n,o].
struct LinearBackwardWeights {
  Tensor x, dy, dw, dbias;
  bool accumulate = false;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    const Access access = self.accumulate ? Access::read_write : Access::write;
    f("x", self.x, Access::read);
    f("dy", self.dy, Access::read);
    f("dw", self.dw, access);
    f("dbias", self.dbias, access);
  }
};

// ---- activation -----------------------------------------------------------------------------------------------------

/// y = max(0, x), NaN stays NaN. y may be x.
struct ReluForward {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx (GradTarget) = dy * (y > 0), with the forward's output y. dx may be dy.
struct ReluBackward {
  Tensor y, dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("y", self.y, Access::read);
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

// ---- pooling --------------------------------------------------------------------------------------------------------

/// Windows of a pool. Padding is at most half the kernel, so that every window holds a pixel.
struct Pool2dAttributes {
  Extent2d kernel = {1, 1};
  Extent2d stride = {1, 1};
  Extent2d padding = {0, 0};
  /// Output extent rounded up instead of down; a last window that would start beyond input and leading padding is
  /// dropped (as in PyTorch).
  bool ceil_mode = false;
  /// avg_pool2d: divide by the window's extent within the padded input (true) or by its pixels in the input (false).
  bool count_include_pad = true;
};

/// Output extent of a pool along one axis.
std::int64_t pooled_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                           bool ceil_mode);

/// y[n,c,p,q] = max over the window; padding never wins; NaN wins.
/// argmax[n,c,p,q] = r*kernel.w + s of the winning tap, the first one in (r, s) order if several are equal or several are
/// NaN (PyTorch names the last NaN). y is then some NaN, not bit for bit that of x.
/// x: (N, C, H, W).  y: (N, C, P, Q).  argmax: y's shape, u8, dense, optional (inference). kernel.h*kernel.w <= 256.
struct MaxPool2dForward {
  Pool2dAttributes attributes;
  Tensor x, y, argmax;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
    f("argmax", self.argmax, Access::write);
  }
};

/// dx[n,c,h,w] (GradTarget) = sum of dy[n,c,p,q] over the windows whose argmax is (h, w).
/// `reference` rejects an argmax that names no pixel of its window, `cpu` one that is no tap of the kernel; on padding, and
/// in `cuda`, dy of such an argmax reaches no pixel.
struct MaxPool2dBackward {
  Pool2dAttributes attributes;
  Tensor dy, argmax;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    f("argmax", self.argmax, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// y[n,c,p,q] = (sum over the window) / divisor, the divisor as `count_include_pad` says.
struct AvgPool2dForward {
  Pool2dAttributes attributes;
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[n,c,h,w] (GradTarget) = sum of dy[n,c,p,q] / divisor(p,q) over the windows that hold (h, w).
struct AvgPool2dBackward {
  Pool2dAttributes attributes;
  Tensor dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// Averages to a given output size: y[n,c,p,q] is the mean over rows floor(p*H/P) .. ceil((p+1)*H/P) - 1, likewise
/// columns (PyTorch AdaptiveAvgPool2d). P and Q are y's.
struct AdaptiveAvgPool2dForward {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[n,c,h,w] (GradTarget) = sum of dy[n,c,p,q] / (pixels of window (p,q)) over the windows that hold (h, w).
struct AdaptiveAvgPool2dBackward {
  Tensor dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// y[n,c] = mean over all pixels of x[n,c].   x: (N, C, H, W).  y: (N, C) or (N, C, 1, 1).
struct GlobalAvgPoolForward {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[n,c,h,w] (GradTarget) = dy[n,c] / (H*W).
struct GlobalAvgPoolBackward {
  Tensor dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

// ---- shape ----------------------------------------------------------------------------------------------------------

/// y = the channels of x[0], x[1], ..., one after the other. x[j]: (N, C_j, H, W).  y: (N, sum of C_j, H, W).
struct ConcatForward {
  std::vector<Tensor> x;
  Tensor y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    for (auto& x : self.x) f("x", x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// The backward pass of concat: targets[j].dx (GradTarget) = the channels of dy that came from x[j].
struct Split {
  Tensor dy;
  std::vector<GradTarget> targets;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    for (auto& target : self.targets) GradTarget::each_operand(target, f);
  }
};

/// y[n, (c*H + h)*W + w] = x[n,c,h,w]: the order of PyTorch's Flatten.  x: (N, C, H, W).  y: (N, C*H*W), dense.
struct FlattenForward {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[n,c,h,w] (GradTarget) = dy[n, (c*H + h)*W + w].
struct FlattenBackward {
  Tensor dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// y = a + scale*b, then ReLU if asked (residual connections).  a, b, y: one shape. y may be a.
struct AddForward {
  double scale = 1.0;
  bool relu = false;
  Tensor a, b, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("a", self.a, Access::read);
    f("b", self.b, Access::read);
    f("y", self.y, Access::write);
  }
};

/// da (GradTarget) = dy;  db (GradTarget) = scale*dy.  dy is already masked if the forward had a ReLU. da may be dy.
struct AddBackward {
  double scale = 1.0;
  Tensor dy;
  GradTarget da, db;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.da, f);
    GradTarget::each_operand(self.db, f);
  }
};

// ---- fill and cast --------------------------------------------------------------------------------------------------

/// y = value.   y: any floating tensor of any rank, channel slices included.
struct Fill {
  double value = 0.0;
  Tensor y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("y", self.y, Access::write);
  }
};

/// y = x, in the dtype of y.   x, y: one shape of any rank, each of any floating dtype, channel slices included.
/// Rounded to nearest even, once; NaN stays NaN. `reference` knows f32, bf16 and f64, the others f32 and bf16.
struct Cast {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

// ---- normalisation and regularisation -------------------------------------------------------------------------------

struct BatchNormAttributes {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< weight of the new batch in the running statistics
  bool relu = false;      ///< forward: y = max(0, ...). Backward expects dy already masked by (y > 0).
};

/// Per channel over the m = N*H*W values of the batch (Ioffe & Szegedy 2015, algorithm 1):
///   mean = sum x / m,   var = sum (x - mean)^2 / m,   rstd = 1 / sqrt(var + epsilon),
///   y = (x - mean) * rstd * gamma + beta, then ReLU if asked,
///   running_mean = (1 - momentum) * running_mean + momentum * mean,   likewise running_var with var * m / (m - 1).
/// m is at least 1. With m = 1 no unbiased variance exists and running_var keeps its value.
/// x, y: (N, C, H, W).  gamma, beta, running_*, mean, rstd: (C), master. mean and rstd are saved for backward.
struct BatchNormForwardTraining {
  BatchNormAttributes attributes;
  Tensor x, gamma, beta, running_mean, running_var, y, mean, rstd;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("gamma", self.gamma, Access::read);
    f("beta", self.beta, Access::read);
    f("running_mean", self.running_mean, Access::read_write);
    f("running_var", self.running_var, Access::read_write);
    f("y", self.y, Access::write);
    f("mean", self.mean, Access::write);
    f("rstd", self.rstd, Access::write);
  }
};

/// y = (x - running_mean) / sqrt(running_var + epsilon) * gamma + beta, then ReLU if asked. y may be x.
struct BatchNormForwardInference {
  BatchNormAttributes attributes;
  Tensor x, gamma, beta, running_mean, running_var, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("gamma", self.gamma, Access::read);
    f("beta", self.beta, Access::read);
    f("running_mean", self.running_mean, Access::read);
    f("running_var", self.running_var, Access::read);
    f("y", self.y, Access::write);
  }
};

/// With xhat = (x - mean) * rstd:   dbeta (+)= sum dy,   dgamma (+)= sum dy * xhat,
///   dx (GradTarget) = gamma * rstd * (dy - sum(dy) / m - xhat * sum(dy * xhat) / m).   dx may be dy.
struct BatchNormBackward {
  Tensor x, gamma, mean, rstd, dy, dgamma, dbeta;
  GradTarget target;
  bool accumulate = false;  ///< of dgamma and dbeta

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    const Access access = self.accumulate ? Access::read_write : Access::write;
    f("x", self.x, Access::read);
    f("gamma", self.gamma, Access::read);
    f("mean", self.mean, Access::read);
    f("rstd", self.rstd, Access::read);
    f("dy", self.dy, Access::read);
    f("dgamma", self.dgamma, access);
    f("dbeta", self.dbeta, access);
    GradTarget::each_operand(self.target, f);
  }
};

/// Of BatchNormForwardInference, for whom parameters and statistics are constants:
///   dx (GradTarget) = dy * gamma / sqrt(running_var + epsilon).   dx may be dy.
/// dy: (N, C, H, W).  gamma, running_var: (C), master.
struct BatchNormBackwardInference {
  BatchNormAttributes attributes;
  Tensor gamma, running_var, dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("gamma", self.gamma, Access::read);
    f("running_var", self.running_var, Access::read);
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// Puts the batch norm of an inference into the convolution without bias before it: with s = gamma / sqrt(running_var +
/// epsilon),   folded_w[o,...] = w[o,...] * s[o],   folded_bias[o] = beta[o] - running_mean[o] * s[o].
/// w, folded_w: (O, I, KH, KW), master.  gamma, beta, running_*, folded_bias: (O), master.
/// The results are kept between runs: without `refresh_packed` nothing is done. It must be set when any input changed.
struct FoldBatchNorm {
  double epsilon = 1e-5;
  Tensor w, gamma, beta, running_mean, running_var, folded_w, folded_bias;
  bool refresh_packed = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("w", self.w, Access::read);
    f("gamma", self.gamma, Access::read);
    f("beta", self.beta, Access::read);
    f("running_mean", self.running_mean, Access::read);
    f("running_var", self.running_var, Access::read);
    f("folded_w", self.folded_w, Access::write);
    f("folded_bias", self.folded_bias, Access::write);
  }
};

/// y[c] = x[c] * d[c]^-beta,   d[c] = k + alpha / size * sum of x[j]^2 over the `size` channels around c, those that
/// exist: j from c - floor(size/2) to c + floor((size-1)/2)  (Krizhevsky et al. 2012, section 3.3; alpha divided by size
/// and the window placed as in PyTorch).
struct LocalResponseNormAttributes {
  std::int64_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1.0;
};

struct LocalResponseNormForward {
  LocalResponseNormAttributes attributes;
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[c] (GradTarget) = dy[c] * d[c]^-beta - 2*alpha*beta/size * x[c] * sum of dy[j] * x[j] * d[j]^(-beta-1) over the
/// channels j whose window holds c.
struct LocalResponseNormBackward {
  LocalResponseNormAttributes attributes;
  Tensor x, dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// Inverted dropout (Srivastava et al. 2014): an element is dropped with probability p, the rest is scaled by
/// 1 / (1 - p). Element e of the sample at position s of the epoch is kept when
///   Random{seed, stream << 32 | epoch}.uniform(s * E + e) >= p,   E = C*H*W, e in (h, w, c) order,
/// so a mask depends neither on the batch size nor on the device, and backward draws it again instead of saving it.
/// position: (2) i64 = {epoch, position in the epoch of the batch's first sample}.
struct DropoutAttributes {
  double p = 0.5;
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  ///< one per dropout layer
};

/// y = x * mask / (1 - p): a NaN or infinity that is dropped gives NaN, as in PyTorch. y may be x.
struct DropoutForward {
  DropoutAttributes attributes;
  Tensor position, x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("position", self.position, Access::read);
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx (GradTarget) = dy * mask / (1 - p), likewise. dx may be dy.
struct DropoutBackward {
  DropoutAttributes attributes;
  Tensor position, dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("position", self.position, Access::read);
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

// ---- loss and optimizer ---------------------------------------------------------------------------------------------

/// With p = softmax(logits[n]), K classes, e = label_smoothing and the target q = (1 - e) * onehot(labels[n]) + e / K
/// (Szegedy et al. 2016, section 7):
///   loss_n = -sum_k q_k log p_k,    totals += {sum_n loss_n, number of n whose first largest logit is the label},
///   dlogits[n] = weight * (p - q) / divisor.
/// logits: (N, K), dense.  labels: (N) i32, each in [0, K).  totals: (2), master.  dlogits: (N, K), optional: without it
/// only totals are computed.  The divisor (the batch size, or that of all replicas) is > 0.
struct SoftmaxCrossEntropy {
  double label_smoothing = 0.0;
  double weight = 1.0;
  double divisor = 1.0;
  Tensor logits, labels, totals, dlogits;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("logits", self.logits, Access::read);
    f("labels", self.labels, Access::read);
    f("totals", self.totals, Access::read_write);
    f("dlogits", self.dlogits, Access::write);
  }
};

/// A run of the flat parameter buffer that is updated alike.
struct ParameterSegment {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  double learning_rate_scale = 1.0;
  double weight_decay = 0.0;
  bool trains = true;  ///< false: left as it is
};

/// One step of stochastic gradient descent over flat buffers, as PyTorch's SGD (dampening 0). With f = factor[0] where that
/// is given (ClipFactor), else 1:
///   g' = f * g + weight_decay * w,   v = momentum * v + g',
///   w -= learning_rate * scale * (nesterov ? g' + momentum*v : v).
/// w, g, v: one flat length, master; v starts at zero and is optional (momentum must then be 0).
/// schedule: (2) f32 = {learning rate, momentum}, both 0 or more, in device memory so that a captured step can be replayed
/// with others.
/// factor: (1), master, optional.
/// segments: ordered, disjoint, inside the buffer; what lies between them is left as it is.
struct SgdStep {
  bool nesterov = false;
  std::vector<ParameterSegment> segments;
  Tensor schedule, g, w, v, factor = {};

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("schedule", self.schedule, Access::read);
    f("g", self.g, Access::read);
    f("w", self.w, Access::read_write);
    f("v", self.v, Access::read_write);
    f("factor", self.factor, Access::read);
  }
};

/// One step of Adam (Kingma & Ba 2015, algorithm 1) over flat buffers or, with `decoupled`, of AdamW (Loshchilov & Hutter
/// 2019, algorithm 2), as PyTorch's. With f as in SgdStep, t = step[0], r = learning_rate * scale and beta1 from `schedule`:
///   decoupled ?   g' = f * g,   w -= r * weight_decay * w   :   g' = f * g + weight_decay * w,
///   m = beta1 * m + (1 - beta1) * g',   v = beta2 * v + (1 - beta2) * g'^2   (core/moving_average.h),
///   w -= r / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
/// w, g, m, v: one flat length, master; m and v start at zero.
/// step: (1) i64, the number of this step from 1.  schedule: (2) f32 = {learning rate, 0 or more, beta1 in [0, 1)}.
/// Both in device memory, as in SgdStep; factor and segments, too, are as there.
struct AdamStep {
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool decoupled = false;
  std::vector<ParameterSegment> segments;
  Tensor step, schedule, g, w, m, v, factor = {};

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("step", self.step, Access::read);
    f("schedule", self.schedule, Access::read);
    f("g", self.g, Access::read);
    f("w", self.w, Access::read_write);
    f("m", self.m, Access::read_write);
    f("v", self.v, Access::read_write);
    f("factor", self.factor, Access::read);
  }
};

/// What gradients are multiplied by so that their norm over all segments that train is at most `max_norm`: clipping by the
/// global norm (Pascanu et al. 2013, algorithm 1), as PyTorch's clip_grad_norm_:
///   factor = min(1, max_norm / (norm + 1e-6)),   norm = sqrt of the sum of g^2.
/// Where an element of these is NaN or infinite, the factor is NaN: the step that follows spoils all weights, which is seen,
/// rather than (with max_norm / infinity = 0) some of them.
/// g: one flat buffer, master.  factor: (1), g's dtype.  segments: as in SgdStep. Squares are summed in double.
struct ClipFactor {
  double max_norm = 1.0;
  std::vector<ParameterSegment> segments;
  Tensor g, factor;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("g", self.g, Access::read);
    f("factor", self.factor, Access::write);
  }
};

/// The exponential moving average of weights (after Polyak & Juditsky 1992; so used by Szegedy et al. 2016, section 8), with
/// TensorFlow's warm-up: decay_t = min(decay, (1 + t) / (10 + t)), t = step[0] being the number of the update from 1.
///   average = t <= 1 ? w : decay_t * average + (1 - decay_t) * w   (core/moving_average.h).
/// w, average: one flat length, master.  step: (1) i64, in device memory.
struct EmaUpdate {
  double decay = 0.999;
  Tensor step, w, average;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("step", self.step, Access::read);
    f("w", self.w, Access::read);
    f("average", self.average, Access::read_write);
  }
};

/// For each segment k of a flat buffer, whether it trains or not: y[k] = {sqrt of the sum of x^2, number of elements
/// that are NaN or infinite}. To watch parameters and their gradients: a norm is NaN or infinite where an element is.
/// x: one flat buffer, master.  y: (K, 2), dense, x's dtype, for K segments as in SgdStep.
/// Squares are summed in double: in f32 the norm is finite wherever it can be written.
struct SegmentNorms {
  std::vector<ParameterSegment> segments;
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

// ---- all of them ----------------------------------------------------------------------------------------------------

using Operation =
    std::variant<LoadBatch, Conv2dForward, Conv2dBackwardData, Conv2dBackwardWeights, Conv2d1x1GroupForward,
                 Conv2d1x1GroupBackwardData, Conv2d1x1GroupBackwardWeights, LinearForward, LinearBackwardData,
                 LinearBackwardWeights, ReluForward, ReluBackward, MaxPool2dForward, MaxPool2dBackward,
                 AvgPool2dForward, AvgPool2dBackward, AdaptiveAvgPool2dForward, AdaptiveAvgPool2dBackward,
                 GlobalAvgPoolForward, GlobalAvgPoolBackward, ConcatForward, Split, FlattenForward, FlattenBackward,
                 AddForward, AddBackward, Fill, Cast, BatchNormForwardTraining, BatchNormForwardInference,
                 BatchNormBackward, BatchNormBackwardInference, FoldBatchNorm, LocalResponseNormForward,
                 LocalResponseNormBackward, DropoutForward, DropoutBackward, SoftmaxCrossEntropy, SgdStep, AdamStep,
                 ClipFactor, EmaUpdate, SegmentNorms>;

/// "conv2d_forward", ...: the name of the operation everywhere.
std::string_view name_of(const Operation& operation);

/// Calls f(role, tensor, access) for every operand that is defined.
template <class F>
void for_each_operand(Operation& operation, F&& f) {
  std::visit(
      [&](auto& op) {
        std::decay_t<decltype(op)>::each_operand(op, [&](std::string_view role, Tensor& tensor, Access access) {
          if (tensor.defined()) f(role, tensor, access);
        });
      },
      operation);
}
template <class F>
void for_each_operand(const Operation& operation, F&& f) {
  std::visit(
      [&](const auto& op) {
        std::decay_t<decltype(op)>::each_operand(op, [&](std::string_view role, const Tensor& tensor, Access access) {
          if (tensor.defined()) f(role, tensor, access);
        });
      },
      operation);
}

/// Multiply-accumulates of a convolution or fully connected layer (padding counted as if it were pixels); 0 for others.
std::int64_t multiply_accumulates(const Operation& operation);

/// Throws an Error, naming the operation and the values, unless attributes, shapes and dtypes are as documented above.
void validate(const Operation& operation);

/// The same for settings that an operation reads from memory (number of the step, schedule, position), which must be the
/// host's. Backends on the host check them in every run. `cuda` cannot: whoever writes them there calls this before.
void validate_values(const Operation& operation);

}  // namespace minception
