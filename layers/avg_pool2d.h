#pragma once
#include "layers/max_pool2d.h"

namespace minception {

/// Average pooling over windows (LeCun et al. 1998; as in PyTorch's AvgPool2d).
///   forward    y[p,q] = (sum over the window) / divisor
///   backward   dx[h,w] = sum of dy[p,q] / divisor over the windows that contain (h, w)
/// Backward needs no tensor of forward.
class AvgPool2d final : public Layer {
 public:
  using Options = PoolSettings;

  /// AvgPool2d(5, {.stride = 3}), AvgPool2d(5, 3) or AvgPool2d({.kernel = 5, .stride = 3}), like MaxPool2d.
  explicit AvgPool2d(Extent2d kernel, const PoolOptions& options = {}) : AvgPool2d(PoolSettings(kernel, options)) {}
  AvgPool2d(Extent2d kernel, Extent2d stride, Extent2d padding = 0)
      : AvgPool2d(kernel, PoolOptions{.stride = stride, .padding = padding}) {}
  explicit AvgPool2d(const PoolWindow& window) : AvgPool2d(PoolSettings(window)) {}
  template <std::derived_from<Pool2dAttributes> Attributes>
  explicit AvgPool2d(const Attributes& windows) : windows_(windows) {
    check_windows(windows);
  }
  const Options& options() const { return windows_; }

  Shape output_shape(const Shape& input) const override;
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  PoolSettings windows_;
};

/// Average pooling to a given output size (as in PyTorch's AdaptiveAvgPool2d): window p of P covers rows
/// floor(p*H/P) to ceil((p+1)*H/P) - 1, columns accordingly.
///   forward    y[p,q] = mean over window (p, q)
///   backward   dx[h,w] = sum of dy[p,q] / (pixels of the window) over the windows that contain (h, w)
class AdaptiveAvgPool2d final : public Layer {
 public:
  struct Options {
    Extent2d output = 1;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("output", self.output);
    }
  };

  /// Throws Error for an output extent below 1.
  explicit AdaptiveAvgPool2d(Extent2d output);
  template <std::same_as<Options> O>  // a template, so that a braced list is the output's size
  explicit AdaptiveAvgPool2d(const O& options) : AdaptiveAvgPool2d(options.output) {}
  Options options() const { return {output_}; }

  Shape output_shape(const Shape& input) const override { return {input[0], input[1], output_.h, output_.w}; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  Extent2d output_;
};

/// Mean of every channel, shape (N, C) (Lin et al. 2014, "Network in network", section 3.2).
///   forward    y[n,c] = mean of x[n,c]
///   backward   dx[n,c,h,w] = dy[n,c] / (H*W)
class GlobalAvgPool final : public Layer {
 public:
  Shape output_shape(const Shape& input) const override { return {input[0], input[1]}; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;
};

}  // namespace minception
