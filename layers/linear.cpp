#include "layers/linear.h"

namespace minception {

Linear::Linear(const Options& options) : options_(options), in_features_(options.in_features) {
  require(options.in_features >= 0 && options.out_features >= 1, "a fully connected layer from ", options.in_features,
          " to ", options.out_features,
          " features: the output needs at least 1, the input 1 or more, or 0 for those of the layer's input");
}

Linear::Linear(std::int64_t out_features, Options options)
    : Linear([&] {
        require(options.out_features == 0,
                "a fully connected layer whose options have out_features, which is an argument already; leave it out");
        options.out_features = out_features;
        return options;
      }()) {}

Linear::Linear(std::int64_t in_features, std::int64_t out_features, Options options)
    : Linear(out_features, [&] {
        require(options.in_features == 0 && in_features >= 1, "a fully connected layer from ", in_features,
                " features: give in_features once, at least 1");
        options.in_features = in_features;
        return options;
      }()) {}

void Linear::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  require(input.rank() == 2, name, ": Linear needs [N, features], but its input is ", batch_shape(input),
          "; put Flatten() or GlobalAvgPool() before it");
  in_features_ = input_size("in_features", options_.in_features, input);
}

void Linear::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  require(in_features_ > 0, name, ": in_features is 0 and was not inferred from an input");
  const Parameter weight = {.name = name + ".weight",
                            .shape = {options_.out_features, in_features_},
                            .role = ParameterRole::weight,
                            .fan_in = in_features_,
                            .fan_out = options_.out_features};
  weight_ = table.add(weight);
  if (options_.bias) {
    Parameter bias = weight;
    bias.name = name + ".bias";
    bias.shape = {options_.out_features};
    bias.role = ParameterRole::bias;
    bias_ = table.add(bias);
  }
}

Shape Linear::output_shape(const Shape& input) const {
  require(input.rank() == 2 && input[1] == in_features_, name(), ": expects [N, ", in_features_, "], but the input is ",
          batch_shape(input));
  return {input[0], options_.out_features};
}

Tensor Linear::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = dense_output(plan, x, destination);
  plan.add(name(), LinearForward{.x = x,
                                 .w = plan.parameter(weight_),
                                 .bias = options_.bias ? plan.parameter(bias_) : Tensor{},
                                 .y = y,
                                 .prepacked = {}});
  return y;
}

void Linear::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (plan.trains(weight_) || (options_.bias && plan.trains(bias_))) {
    plan.add(
        name(),
        LinearBackwardWeights{
            .x = x_, .dy = dy, .dw = plan.gradient(weight_), .dbias = options_.bias ? plan.gradient(bias_) : Tensor{}});
  }
  if (target.dx.defined()) {
    plan.add(name(), LinearBackwardData{.dy = dy, .w = plan.parameter(weight_), .target = target});
  }
}

}  // namespace minception
