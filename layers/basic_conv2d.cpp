#include "layers/basic_conv2d.h"

namespace minception {

BasicConv2d::BasicConv2d(const Options& options)
    : options_(options),
      conv_({.in_channels = options.in_channels,
             .out_channels = options.out_channels,
             .kernel = options.kernel,
             .stride = options.stride,
             .padding = options.padding,
             .bias = !options.batch_norm,
             .relu = !options.batch_norm}) {
  if (options.batch_norm) {
    bn_.emplace(BatchNorm2d::Options{.channels = options.out_channels, .epsilon = options.epsilon, .relu = true});
  }
}

void BasicConv2d::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  conv_.infer(name + ".conv", input);
  if (bn_) bn_->infer(name + ".bn", conv_.output_shape(input));
}

void BasicConv2d::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  conv_.register_parameters(table, name + ".conv");
  if (bn_) bn_->register_parameters(table, name + ".bn");
}

Tensor BasicConv2d::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  if (!bn_) return conv_.forward(plan, x, destination);
  if (plan.mode() == Mode::inference) return bn_->forward_folded(plan, conv_, x, destination);
  const Tensor z = conv_.forward(plan, x);
  conv_shape_ = z.shape;
  return bn_->forward(plan, z, destination);
}

void BasicConv2d::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (!bn_) return conv_.backward(plan, dy, target);
  const Tensor dz = plan.activation(conv_.name() + ": output gradient", conv_shape_);
  bn_->backward(plan, dy, GradTarget{.dx = dz});
  conv_.backward(plan, dz, target);
}

}  // namespace minception
