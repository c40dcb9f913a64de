#pragma once
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"

#include <optional>

namespace minception {

/// Building block of GoogLeNet: convolution, optional BatchNorm, ReLU. The parts are named `conv` and `bn` as in
/// torchvision's BasicConv2d. With BatchNorm the convolution has no bias, since subtracting the mean would cancel it.
/// Inference folds the BatchNorm into the weights and a bias.
///   forward    y = relu(conv(x)),   or   y = relu(bn(conv(x)))
///   backward   the parts in reverse order; dy is already masked by (y > 0)
class BasicConv2d final : public Layer {
 public:
  struct Options {
    std::int64_t in_channels = 0;  ///< 0: those of the input; another value must be equal to them
    std::int64_t out_channels = 0;
    Extent2d kernel = {1, 1};
    Extent2d stride = {1, 1};
    Extent2d padding = {0, 0};
    bool batch_norm = false;
    double epsilon = 1e-5;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("in_channels", self.in_channels, from_input);
      f("out_channels", self.out_channels);
      f("kernel", self.kernel);
      f("stride", self.stride);
      f("padding", self.padding);
      f("batch_norm", self.batch_norm);
      f("epsilon", self.epsilon);
    }
  };

  explicit BasicConv2d(const Options& options);
  const Options& options() const { return options_; }

  void infer(const std::string& name, const Shape& input) override;

  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override { return conv_.output_shape(input); }
  bool ends_in_relu() const override { return true; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  Options options_;
  Conv2d conv_;
  std::optional<BatchNorm2d> bn_;
  Shape conv_shape_;
};

}  // namespace minception
