#pragma once
#include "layers/layer.h"
#include "layers/settings.h"

namespace minception {

/// 2-D convolution (LeCun et al. 1998), a cross-correlation, with optional bias and fused ReLU.
///   forward    y = max(0, w * x + bias)                         (the max only with `relu`)
///   backward   dw = dy * x (correlated),  dbias = sum dy over n, p, q,  dx = w transposed * dy
/// For the indices see Conv2dForward (kernels/operations/convolution.h). Backward needs x; with `relu`, dy is already
/// masked by (y > 0).
class Conv2d final : public Layer {
 public:
  struct Options {
    ByName by_name = ByName();
    std::int64_t in_channels = 0;  ///< 0: those of the input; another value must be equal to them
    std::int64_t out_channels = 0;
    Extent2d kernel = {1, 1};
    Extent2d stride = {1, 1};
    Extent2d padding = {0, 0};
    bool bias = true;
    bool relu = false;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("in_channels", self.in_channels, from_input);
      f("out_channels", self.out_channels);
      f("kernel", self.kernel);
      f("stride", self.stride);
      f("padding", self.padding);
      f("bias", self.bias);
      f("relu", self.relu);
    }
  };

  /// Throws Error for channels, kernel or stride below 1 and for negative padding.
  explicit Conv2d(const Options& options);
  Conv2d(std::int64_t out_channels, Extent2d kernel) : Conv2d(out_channels, kernel, Options{}) {}
  /// Conv2d(32, 3, {.padding = 1, .relu = true}): out_channels and kernel. Throws Error if the options have them, too.
  Conv2d(std::int64_t out_channels, Extent2d kernel, Options options);
  /// Conv2d(3, 32, 3): in_channels, out_channels and kernel, as in PyTorch.
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, Extent2d kernel)
      : Conv2d(in_channels, out_channels, kernel, Options{}) {}
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, Extent2d kernel, Options options);
  /// Conv2d(3, 32, 3, 1, 1): stride and padding, too.
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, Extent2d kernel, Extent2d stride, Extent2d padding = 0)
      : Conv2d(in_channels, out_channels, kernel, Options{.stride = stride, .padding = padding}) {}

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return options_.relu || fused_relu_; }
  bool fuse_relu() override { return fused_relu_ = true; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

  /// Inference with the weights and bias that result from folding a BatchNorm2d.
  Tensor forward_folded(Plan& plan, const Tensor& x, const Tensor& w, const Tensor& bias, bool relu,
                        const Tensor& destination);
  Tensor weights(Plan& plan) const { return plan.parameter(weight_); }

  const Options& options() const { return options_; }

  /// Descriptions of weight and bias, for layers that store several convolutions in one block. `in_channels` is given.
  static Parameter weight_parameter(const Options& options, const std::string& name);
  static Parameter bias_parameter(const Options& options, const std::string& name);

 private:
  Conv2dAttributes attributes() const { return {options_.stride, options_.padding, ends_in_relu()}; }

  Options options_;
  std::int64_t in_channels_ = 0;
  bool fused_relu_ = false;
  ParameterId weight_ = 0;
  ParameterId bias_ = 0;
  Tensor x_;
};

}  // namespace minception
