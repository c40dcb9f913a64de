#include "layers/concat.h"

#include <algorithm>

namespace minception {

void Concat::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  for (std::size_t j = 0; j < branches_.size(); ++j) branches_[j]->infer(name + "." + names_[j], input);
}

void Concat::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  for (std::size_t j = 0; j < branches_.size(); ++j) branches_[j]->register_parameters(table, name + "." + names_[j]);
}

Shape Concat::output_shape(const Shape& input) const {
  require(!branches_.empty(), name(), ": a Concat without branches");
  const Shape first = checked_output_shape(*branches_.front(), input);
  Shape shape = first;
  for (std::size_t j = 1; j < branches_.size(); ++j) {
    const Shape other = checked_output_shape(*branches_[j], input);
    Shape alike = other;
    alike[1] = shape[1];
    require(alike == shape, name(), ": the branches ", names_[0], " and ", names_[j], " yield ", batch_shape(first),
            " and ", batch_shape(other), ": they may differ in the channels only");
    shape[1] += other[1];
  }
  return shape;
}

bool Concat::ends_in_relu() const {
  return std::all_of(branches_.begin(), branches_.end(), [](const auto& branch) { return branch->ends_in_relu(); });
}

Tensor Concat::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  const Tensor y = output(plan, x, destination);
  outputs_.clear();
  std::int64_t channel = 0;
  for (const auto& branch : branches_) {
    const std::int64_t channels = branch->output_shape(x.shape)[1];
    outputs_.push_back(checked_forward(*branch, plan, x, y.channels(channel, channels)));
    channel += channels;
  }
  return y;
}

void Concat::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  require(!outputs_.empty(), name(), ": backward was planned before forward");
  std::int64_t channel = dy.c();
  for (std::size_t j = branches_.size(); j-- > 0;) {
    channel -= outputs_[j].c();
    Tensor slice = dy.channels(channel, outputs_[j].c());
    // If only some branches end in a ReLU, dy is not masked yet.
    if (branches_[j]->ends_in_relu() && !ends_in_relu()) {
      const Tensor masked = plan.activation(branches_[j]->name() + ": output gradient", slice.shape);
      plan.add(branches_[j]->name(), ReluBackward{.y = outputs_[j], .dy = slice, .target = {.dx = masked}});
      slice = masked;
    }
    GradTarget part = target;
    part.accumulate = target.accumulate || j + 1 < branches_.size();
    if (j > 0) part.relu_output = {};  // the branch that completes the sum applies the mask
    checked_backward(*branches_[j], plan, slice, part);
  }
}

}  // namespace minception
