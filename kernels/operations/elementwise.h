#pragma once
/// Elementwise operations: activations, dropout, addition, fill and cast; also concatenation and flattening.

#include "kernels/operations/common.h"

#include <cstdint>
#include <vector>

namespace minception {

/// y = max(0, x); NaN stays NaN. y may be x.
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

/// Gaussian error linear unit (Hendrycks & Gimpel 2016, section 2), exact as in PyTorch:
/// y = x * P(x),  P(x) = (1 + erf(x / sqrt(2))) / 2. y may be x.
struct GeluForward {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx (GradTarget) = dy * (P(x) + x * exp(-x^2 / 2) / sqrt(2 pi)), with the forward's input x. dx may be dy.
struct GeluBackward {
  Tensor x, dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// Inverted dropout (Srivastava et al. 2014): an element is dropped with probability p; the others are scaled by
/// 1 / (1 - p). Element e of the sample at position s of the epoch is kept if
///   Random{seed, stream << 32 | epoch}.uniform(s * E + e) >= p,   E = C*H*W, e in (h, w, c) order.
/// The mask does not depend on the batch size or the device. Backward draws it again instead of storing it.
/// position: (2) i64 = {epoch, position in the epoch of the batch's first sample}.
struct DropoutAttributes {
  double p = 0.5;
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  ///< one per dropout layer
};

/// y = x * mask / (1 - p). A dropped NaN or infinity gives NaN, as in PyTorch. y may be x.
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

/// dx (GradTarget) = dy * mask / (1 - p). A dropped NaN or infinity gives NaN. dx may be dy.
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

/// y = concatenation of x[0], x[1], ... along channels. x[j]: (N, C_j, H, W).  y: (N, sum of C_j, H, W).
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

/// y = a + scale*b, then ReLU if `relu` (residual connections).  a, b and y have the same shape. y may be a.
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

/// da (GradTarget) = dy;  db (GradTarget) = scale*dy.  With a ReLU in forward, dy is already masked. da may be dy.
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

/// y = value.   y: any floating tensor of any rank, channel slices included.
struct Fill {
  double value = 0.0;
  Tensor y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("y", self.y, Access::write);
  }
};

/// y = x, converted to the dtype of y.   x, y: the same shape of any rank, any floating dtypes, channel slices
/// included. Rounds once, to nearest even; NaN stays NaN. `reference` supports f32, bf16 and f64, the others f32 and
/// bf16.
struct Cast {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

}  // namespace minception

#define MINCEPTION_ELEMENTWISE_OPERATIONS(F) \
  F(ReluForward, relu_forward)               \
  F(ReluBackward, relu_backward)             \
  F(GeluForward, gelu_forward)               \
  F(GeluBackward, gelu_backward)             \
  F(ConcatForward, concat_forward)           \
  F(Split, split)                            \
  F(FlattenForward, flatten_forward)         \
  F(FlattenBackward, flatten_backward)       \
  F(AddForward, add_forward)                 \
  F(AddBackward, add_backward)               \
  F(Fill, fill)                              \
  F(Cast, cast)                              \
  F(DropoutForward, dropout_forward)         \
  F(DropoutBackward, dropout_backward)
