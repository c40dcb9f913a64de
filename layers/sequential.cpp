#include "layers/sequential.h"

namespace minception {

void Sequential::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  Shape shape = input;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->infer(name.empty() ? names_[i] : name + "." + names_[i], shape);
    shape = layers_[i]->output_shape(shape);
  }
}

void Sequential::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->register_parameters(table, name.empty() ? names_[i] : name + "." + names_[i]);
  }
}

Shape Sequential::output_shape(const Shape& input) const {
  Shape shape = input;
  for (const auto& layer : layers_) shape = layer->output_shape(shape);
  return shape;
}

Tensor Sequential::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  require(!layers_.empty(), name(), ": a Sequential without layers");
  inputs_.clear();
  Tensor value = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    inputs_.push_back(value);
    value = layers_[i]->forward(plan, value, i + 1 == layers_.size() ? destination : Tensor{});
  }
  return value;
}

void Sequential::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  require(!inputs_.empty(), name(), ": backward was planned before forward");
  Tensor gradient = dy;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    if (i == 0) return layers_[0]->backward(plan, gradient, target);
    const Tensor& x = inputs_[i];
    const GradTarget inner = {.dx = plan.activation(layers_[i]->name() + ": input gradient", x.shape),
                              .relu_output = layers_[i - 1]->ends_in_relu() ? x : Tensor{}};
    layers_[i]->backward(plan, gradient, inner);
    gradient = inner.dx;
  }
}

}  // namespace minception
