#pragma once
/// Pooling.

#include "kernels/operations/common.h"

#include <cstdint>
#include <vector>

namespace minception {

/// Windows of a pool. Padding is at most half the kernel, so that every window contains a pixel.
struct Pool2dAttributes {
  Extent2d kernel = {1, 1};
  Extent2d stride = {1, 1};
  Extent2d padding = {0, 0};
  /// Rounds the output extent up instead of down. As in PyTorch, a last window that starts beyond the input and its
  /// leading padding is dropped.
  bool ceil_mode = false;
  /// avg_pool2d: divide by the number of window positions inside the padded input (true) or inside the input (false).
  bool count_include_pad = true;
};

/// Output extent of a pool along one axis.
std::int64_t pooled_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                           bool ceil_mode);

/// y[n,c,p,q] = max over the window. Padding is ignored. If the window contains a NaN, y is NaN, but not necessarily
/// with the same bits.
/// argmax[n,c,p,q] = window index r*kernel.w + s of the maximum; the first one in (r, s) order if several are equal or
/// NaN (PyTorch returns the last NaN).
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
/// `reference` rejects a window index that is not a pixel of the input; `cpu` rejects one outside the kernel
/// and ignores dy of one on padding; `cuda` ignores dy of both.
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

/// y[n,c,p,q] = (sum over the window) / divisor, with the divisor according to `count_include_pad`.
struct AvgPool2dForward {
  Pool2dAttributes attributes;
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[n,c,h,w] (GradTarget) = sum of dy[n,c,p,q] / divisor(p,q) over the windows that contain (h, w).
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

/// Average pooling to a given output size, as in PyTorch's AdaptiveAvgPool2d: y[n,c,p,q] is the mean over rows
/// floor(p*H/P) .. ceil((p+1)*H/P) - 1 and columns floor(q*W/Q) .. ceil((q+1)*W/Q) - 1. P and Q come from y's shape.
struct AdaptiveAvgPool2dForward {
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[n,c,h,w] (GradTarget) = sum of dy[n,c,p,q] / (pixels of window (p,q)) over the windows that contain (h, w).
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

}  // namespace minception

#define MINCEPTION_POOLING_OPERATIONS(F)                     \
  F(MaxPool2dForward, max_pool2d_forward)                    \
  F(MaxPool2dBackward, max_pool2d_backward)                  \
  F(AvgPool2dForward, avg_pool2d_forward)                    \
  F(AvgPool2dBackward, avg_pool2d_backward)                  \
  F(AdaptiveAvgPool2dForward, adaptive_avg_pool2d_forward)   \
  F(AdaptiveAvgPool2dBackward, adaptive_avg_pool2d_backward) \
  F(GlobalAvgPoolForward, global_avg_pool_forward)           \
  F(GlobalAvgPoolBackward, global_avg_pool_backward)
