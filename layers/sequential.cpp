#include "layers/sequential.h"
#include "layers/batch_norm2d.h"
#include "layers/relu.h"

#include <algorithm>

namespace minception {

void add_name(std::vector<std::string>& names, std::string name, const char* container) {
  if (name.empty()) name = std::to_string(names.size());
  const auto other = std::find(names.begin(), names.end(), name);
  require(other == names.end(), "the layers ", other - names.begin(), " and ", names.size(), " of ", container,
          " are both named '", name, "'; layers without a name are named by their position, from 0");
  names.push_back(std::move(name));
}

void Sequential::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  Shape shape = input;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->infer(name.empty() ? names_[i] : name + "." + names_[i], shape);
    shape = checked_output_shape(*layers_[i], shape);
  }
  kept_.resize(layers_.size(), false);
  fused_.assign(layers_.size(), false);
  for (std::size_t i = 1; i < layers_.size(); ++i) {
    const bool relu = dynamic_cast<const ReLU*>(layers_[i].get()) != nullptr;
    fused_[i] = relu && !fused_[i - 1] && !kept_[i - 1] && layers_[i - 1]->fuse_relu();
  }
}

void Sequential::keep_output(std::size_t index) {
  kept_.resize(layers_.size(), false);
  kept_[checked(index)] = true;
}

void Sequential::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->register_parameters(table, name.empty() ? names_[i] : name + "." + names_[i]);
  }
}

Shape Sequential::output_shape(const Shape& input) const {
  Shape shape = input;
  for (const auto& layer : layers_) shape = checked_output_shape(*layer, shape);
  return shape;
}

Tensor Sequential::forward_layer(Plan& plan, std::size_t& index, const Tensor& x, const Tensor& destination) {
  const std::size_t first = index;
  auto* conv = plan.mode() == Mode::inference ? dynamic_cast<Conv2d*>(layers_[first].get()) : nullptr;
  const bool plain = conv != nullptr && !conv->options().bias && !conv->ends_in_relu();
  auto* norm = plain && first + 1 < layers_.size() ? dynamic_cast<BatchNorm2d*>(layers_[first + 1].get()) : nullptr;
  if (norm != nullptr) ++index;
  if (is_fused(index + 1)) ++index;
  const Tensor y = index + 1 == layers_.size() ? destination : Tensor{};
  return norm != nullptr ? norm->forward_folded(plan, *conv, x, y) : checked_forward(*layers_[first], plan, x, y);
}

Tensor Sequential::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  require(!layers_.empty(), name(), ": a Sequential without layers");
  inputs_.assign(layers_.size(), Tensor{});
  Tensor value = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    inputs_[i] = value;
    value = forward_layer(plan, i, value, destination);
  }
  return value;
}

void Sequential::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  require(!inputs_.empty(), name(), ": backward was planned before forward");
  Tensor gradient = dy;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    if (is_fused(i)) continue;
    if (i == 0) return checked_backward(*layers_[0], plan, gradient, target);
    const Tensor& x = inputs_[i];
    const GradTarget inner = {.dx = plan.activation(layers_[i]->name() + ": input gradient", x.shape),
                              .relu_output = ends_in_relu(i - 1) ? x : Tensor{}};
    checked_backward(*layers_[i], plan, gradient, inner);
    gradient = inner.dx;
  }
}

}  // namespace minception
