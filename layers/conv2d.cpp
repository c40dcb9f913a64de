#include "layers/conv2d.h"

namespace minception {

Conv2d::Conv2d(const Options& options) : options_(options), in_channels_(options.in_channels) {
  const auto& [by_name, in, out, kernel, stride, padding, bias, relu] = options_;
  require(in >= 0 && out >= 1, "a convolution from ", in, " to ", out,
          " channels: the output needs at least 1, the input 1 or more, or 0 for those of the layer's input");
  require(kernel.h >= 1 && kernel.w >= 1 && stride.h >= 1 && stride.w >= 1 && padding.h >= 0 && padding.w >= 0,
          "a convolution with kernel ", kernel.h, "x", kernel.w, ", stride ", stride.h, "x", stride.w, ", padding ",
          padding.h, "x", padding.w, ": kernel and stride must be at least 1, padding at least 0");
}

Conv2d::Conv2d(std::int64_t out_channels, Extent2d kernel, Options options)
    : Conv2d([&] {
        require(options.out_channels == 0 && options.kernel == Extent2d(1),
                "a convolution whose options have out_channels or kernel, which are arguments already; leave them out");
        options.out_channels = out_channels;
        options.kernel = kernel;
        return options;
      }()) {}

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels, Extent2d kernel, Options options)
    : Conv2d(out_channels, kernel, [&] {
        require(options.in_channels == 0 && in_channels >= 1, "a convolution from ", in_channels,
                " channels: give in_channels once, at least 1");
        options.in_channels = in_channels;
        return options;
      }()) {}

void Conv2d::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  in_channels_ = input_size("in_channels", options_.in_channels, input);
}

Parameter Conv2d::weight_parameter(const Options& options, const std::string& name) {
  const std::int64_t receptive_field = options.kernel.h * options.kernel.w;
  return {.name = name + ".weight",
          .shape = {options.out_channels, options.in_channels, options.kernel.h, options.kernel.w},
          .role = ParameterRole::weight,
          .fan_in = options.in_channels * receptive_field,
          .fan_out = options.out_channels * receptive_field};
}

Parameter Conv2d::bias_parameter(const Options& options, const std::string& name) {
  Parameter bias = weight_parameter(options, name);
  bias.name = name + ".bias";
  bias.shape = {options.out_channels};
  bias.role = ParameterRole::bias;
  return bias;
}

void Conv2d::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  require(in_channels_ > 0, name, ": in_channels is 0 and was not inferred from an input");
  Options resolved = options_;
  resolved.in_channels = in_channels_;
  weight_ = table.add(weight_parameter(resolved, name));
  if (options_.bias) bias_ = table.add(bias_parameter(resolved, name));
}

Shape Conv2d::output_shape(const Shape& input) const {
  const auto& [by_name, given, out_channels, kernel, stride, padding, bias, relu] = options_;
  require(input.extent_or_1(1) == in_channels_, name(), ": expects ", in_channels_, " channels but the input is ",
          input);
  const std::int64_t h = convolved_extent(input.extent_or_1(2), kernel.h, stride.h, padding.h);
  const std::int64_t w = convolved_extent(input.extent_or_1(3), kernel.w, stride.w, padding.w);
  require(h > 0 && w > 0, name(), ": a kernel of ", kernel.h, "x", kernel.w, " with padding ", padding.h, "x",
          padding.w, " leaves no output for an input ", input,
          input.rank() == 4 ? "; use a larger image" : ": images (N, C, H, W) are needed");
  return {input[0], out_channels, h, w};
}

Tensor Conv2d::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = output(plan, x, destination);
  plan.add(name(), Conv2dForward{.attributes = attributes(),
                                 .x = x,
                                 .w = plan.parameter(weight_),
                                 .bias = options_.bias ? plan.parameter(bias_) : Tensor{},
                                 .y = y,
                                 .prepacked = {}});
  return y;
}

Tensor Conv2d::forward_folded(Plan& plan, const Tensor& x, const Tensor& w, const Tensor& bias, bool relu,
                              const Tensor& destination) {
  const Tensor y = output(plan, x, destination);
  Conv2dAttributes folded = attributes();
  folded.relu = relu;
  plan.add(name(), Conv2dForward{.attributes = folded, .x = x, .w = w, .bias = bias, .y = y, .prepacked = {}});
  return y;
}

void Conv2d::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (plan.trains(weight_) || (options_.bias && plan.trains(bias_))) {
    plan.add(name(), Conv2dBackwardWeights{.attributes = attributes(),
                                           .x = x_,
                                           .dy = dy,
                                           .dw = plan.gradient(weight_),
                                           .dbias = options_.bias ? plan.gradient(bias_) : Tensor{}});
  }
  if (target.dx.defined()) {
    plan.add(name(),
             Conv2dBackwardData{.attributes = attributes(), .dy = dy, .w = plan.parameter(weight_), .target = target});
  }
}

}  // namespace minception
