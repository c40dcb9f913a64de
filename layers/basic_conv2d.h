#pragma once
#include <minception/layers/batch_norm2d.h>
#include <minception/layers/conv2d.h>

#include <optional>

namespace minception {

/// The unit that GoogLeNets are built of: convolution and ReLU, or with BatchNorm between them. Its parts are named
/// `conv` and `bn` (as torchvision's BasicConv2d). A convolution before a BatchNorm has no bias: the mean takes it out.
/// Inference has no BatchNorm: it is folded into weights and bias.
///   forward    y = relu(conv(x)),   or   y = relu(bn(conv(x)))
///   backward   through the parts in reverse order; dy arrives masked by (y > 0)
class BasicConv2d final : public Layer {
 public:
  struct Options {
    std::int64_t in_channels = 0;
    std::int64_t out_channels = 0;
    Extent2d kernel = {1, 1};
    Extent2d stride = {1, 1};
    Extent2d padding = {0, 0};
    bool batch_norm = false;
    double epsilon = 1e-5;
  };

  explicit BasicConv2d(const Options& options);

  void declare(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override { return conv_.output_shape(input); }
  bool ends_in_relu() const override { return true; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  Conv2d conv_;
  std::optional<BatchNorm2d> bn_;
  Shape conv_shape_;
};

}  // namespace minception
