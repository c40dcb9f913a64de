#include "layers/batch_norm2d.h"

#include <cmath>

namespace minception {

BatchNorm2d::BatchNorm2d(const Options& options) : options_(options), channels_(options.channels) {
  require(options.channels >= 0, "a BatchNorm of ", options.channels,
          " channels: give 1 or more, or 0 for those of its input");
  require(options.epsilon > 0.0 && std::isfinite(options.epsilon), "a BatchNorm with epsilon ", options.epsilon,
          ": it must be a finite number above 0");
  require(options.momentum >= 0.0 && options.momentum <= 1.0, "a BatchNorm with momentum ", options.momentum,
          ": it must be in [0, 1]");
}

BatchNorm2d::BatchNorm2d(std::int64_t channels)
    : BatchNorm2d([&] {
        require(channels >= 1, "a BatchNorm of ", channels,
                " channels: give 1 or more, or none for those of its input");
        return Options{.channels = channels};
      }()) {}

void BatchNorm2d::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  channels_ = input_size("channels", options_.channels, input);
}

void BatchNorm2d::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  require(channels_ > 0, name, ": channels is 0 and was not inferred from an input");
  const Shape shape = {channels_};
  gamma_ = table.add({.name = name + ".weight", .shape = shape, .role = ParameterRole::norm_weight});
  beta_ = table.add({.name = name + ".bias", .shape = shape, .role = ParameterRole::norm_bias});
  running_mean_ = table.add({.name = name + ".running_mean", .shape = shape, .role = ParameterRole::running_mean});
  running_var_ = table.add({.name = name + ".running_var", .shape = shape, .role = ParameterRole::running_var});
}

Shape BatchNorm2d::output_shape(const Shape& input) const {
  require(input.extent_or_1(1) == channels_, name(), ": expects ", channels_, " channels but the input is ", input);
  return input;
}

Tensor BatchNorm2d::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = output(plan, x, destination);
  const BatchNormAttributes attributes = {options_.epsilon, options_.momentum, ends_in_relu()};
  if (plan.mode() == Mode::training && !frozen(plan)) {
    mean_ = plan.saved(name() + ": mean", {channels_}, plan.master_dtype());
    rstd_ = plan.saved(name() + ": rstd", {channels_}, plan.master_dtype());
    plan.add(name(), BatchNormForwardTraining{.attributes = attributes,
                                              .x = x,
                                              .gamma = plan.parameter(gamma_),
                                              .beta = plan.parameter(beta_),
                                              .running_mean = plan.statistic(running_mean_),
                                              .running_var = plan.statistic(running_var_),
                                              .y = y,
                                              .mean = mean_,
                                              .rstd = rstd_});
  } else {
    plan.add(name(), BatchNormForwardInference{.attributes = attributes,
                                               .x = x,
                                               .gamma = plan.parameter(gamma_),
                                               .beta = plan.parameter(beta_),
                                               .running_mean = plan.statistic(running_mean_),
                                               .running_var = plan.statistic(running_var_),
                                               .y = y});
  }
  return y;
}

Tensor BatchNorm2d::forward_folded(Plan& plan, Conv2d& conv, const Tensor& x, const Tensor& destination) {
  const Tensor w = conv.weights(plan), folded = plan.prepacked(w.shape), bias = plan.prepacked(Shape{w.n()});
  fold(plan, w, folded, bias);
  return conv.forward_folded(plan, x, folded, bias, ends_in_relu(), destination);
}

void BatchNorm2d::fold(Plan& plan, const Tensor& w, const Tensor& folded_w, const Tensor& folded_bias) {
  plan.add(name(), FoldBatchNorm{.epsilon = options_.epsilon,
                                 .w = w,
                                 .gamma = plan.parameter(gamma_),
                                 .beta = plan.parameter(beta_),
                                 .running_mean = plan.statistic(running_mean_),
                                 .running_var = plan.statistic(running_var_),
                                 .folded_w = folded_w,
                                 .folded_bias = folded_bias});
}

void BatchNorm2d::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (frozen(plan)) {
    if (!target.dx.defined()) return;
    plan.add(name(), BatchNormBackwardInference{.attributes = {.epsilon = options_.epsilon},
                                                .gamma = plan.parameter(gamma_),
                                                .running_var = plan.statistic(running_var_),
                                                .dy = dy,
                                                .target = target});
    return;
  }
  GradTarget dx = target;
  // dgamma and dbeta are needed even without dx: an unrequested dx is written to an unused activation.
  if (!dx.dx.defined()) dx.dx = plan.activation(name() + ": unused input gradient", x_.shape);
  plan.add(name(), BatchNormBackward{.x = x_,
                                     .gamma = plan.parameter(gamma_),
                                     .mean = mean_,
                                     .rstd = rstd_,
                                     .dy = dy,
                                     .dgamma = plan.gradient(gamma_),
                                     .dbeta = plan.gradient(beta_),
                                     .target = dx});
}

}  // namespace minception
