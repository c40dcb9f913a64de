#pragma once
/// Convolutions and fully connected layers.

#include "kernels/operations/common.h"

#include <cstdint>
#include <vector>

namespace minception {

/// Output extent of a convolution or floor-mode pool: floor((in + 2*padding - kernel) / stride) + 1, or 0 if the kernel
/// does not fit.
std::int64_t convolved_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding);

struct Conv2dAttributes {
  Extent2d stride = {1, 1};
  Extent2d padding = {0, 0};  ///< zeros on both sides
  bool relu = false;          ///< forward: y = max(0, ...). Backward expects dy already masked by (y > 0).
};

/// y[n,o,p,q] = bias[o] + sum_{i,r,s} w[o,i,r,s] * x[n, i, p*stride.h + r - padding.h, q*stride.w + s - padding.w],
/// then ReLU if `relu`. (A cross-correlation, as usual in deep learning.)
/// x: (N, I, H, W).  w: (O, I, KH, KW), master.  bias: (O), master, optional.  y: (N, O, P, Q).
/// With `relu`, the cpu backend may turn NaN into 0, because oneDNN's fused ReLU does. `reference` propagates NaN.
/// `prepacked`, optional: u8, `Requirements::prepacked` bytes. It holds the weights in the backend's own layout between
/// runs. `refresh_prepacked` rebuilds it from `w`; this is required after `w` or N has changed.
struct Conv2dForward {
  Conv2dAttributes attributes;
  Tensor x, w, bias, y, prepacked;
  bool refresh_prepacked = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("w", self.w, Access::read);
    f("bias", self.bias, Access::read);
    f("y", self.y, Access::write);
    f("prepacked", self.prepacked, Access::read_write);
  }
};

/// dx[n,i,h,w] (GradTarget) = sum of w[o,i,r,s] * dy[n,o,p,q] over the (o,p,q,r,s) with
///   p*stride.h + r - padding.h = h   and   q*stride.w + s - padding.w = w.
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
/// dw and dbias are overwritten, or added to if `accumulate`. Both have the master dtype; dbias is optional.
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

/// Fused 1x1 convolutions that share an input, stride 1, no padding (the first layer of an Inception block):
///   y[j] = x * w[rows of j]^T + bias[rows of j], then ReLU if `relu`.
/// x: (N, I, H, W).  w: (sum of O_j, I, 1, 1), the concatenated weights of all members.  bias: (sum of O_j),
/// optional.  y[j]: (N, O_j, H, W).  `prepacked` as in Conv2dForward.
struct Conv2dFused1x1Forward {
  bool relu = false;
  Tensor x, w, bias;
  std::vector<Tensor> y;
  Tensor prepacked;
  bool refresh_prepacked = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("w", self.w, Access::read);
    f("bias", self.bias, Access::read);
    for (auto& y : self.y) f("y", y, Access::write);
    f("prepacked", self.prepacked, Access::read_write);
  }
};

/// dx (GradTarget) = sum_j dy[j] * w[rows of j].  With `target.accumulate` it is added to a gradient already in dx,
/// such as that of the pool branch.
struct Conv2dFused1x1BackwardData {
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
struct Conv2dFused1x1BackwardWeights {
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

/// y[n,o] = bias[o] + sum_i w[o,i] * x[n,i].   x: (N, I).  w: (O, I).  bias: (O), optional.  y: (N, O).
/// x, y and their gradients are dense. `prepacked` as in Conv2dForward.
struct LinearForward {
  Tensor x, w, bias, y, prepacked;
  bool refresh_prepacked = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("w", self.w, Access::read);
    f("bias", self.bias, Access::read);
    f("y", self.y, Access::write);
    f("prepacked", self.prepacked, Access::read_write);
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

}  // namespace minception

#define MINCEPTION_CONVOLUTION_OPERATIONS(F)                          \
  F(Conv2dForward, conv2d_forward)                                    \
  F(Conv2dBackwardData, conv2d_backward_data)                         \
  F(Conv2dBackwardWeights, conv2d_backward_weights)                   \
  F(Conv2dFused1x1Forward, conv2d_fused_1x1_forward)                  \
  F(Conv2dFused1x1BackwardData, conv2d_fused_1x1_backward_data)       \
  F(Conv2dFused1x1BackwardWeights, conv2d_fused_1x1_backward_weights) \
  F(LinearForward, linear_forward)                                    \
  F(LinearBackwardData, linear_backward_data)                         \
  F(LinearBackwardWeights, linear_backward_weights)
