#include "layers/residual.h"

namespace minception {

void Residual::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  inner_->infer(name + "." + inner_name_, input);
}

void Residual::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  inner_->register_parameters(table, name + "." + inner_name_);
}

Shape Residual::output_shape(const Shape& input) const {
  const Shape branch = checked_output_shape(*inner_, input);
  require(branch == input, name(), ": the residual branch yields ", branch, " but the input is ", input,
          "; they must match");
  return input;
}

Tensor Residual::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  branch_ = checked_forward(*inner_, plan, x);
  const Tensor y = output(plan, x, destination);
  plan.add(name(), AddForward{.scale = scale_, .relu = relu_, .a = x, .b = branch_, .y = y});
  return y;
}

void Residual::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  const Tensor dbranch = plan.activation(name() + ": branch gradient", branch_.shape);
  GradTarget shortcut = target;
  shortcut.relu_output = {};  // the branch completes the sum and applies the mask
  // AddBackward always writes the shortcut's gradient: without dx, it goes to an unused activation.
  if (!shortcut.dx.defined()) shortcut.dx = plan.activation(name() + ": unused input gradient", dy.shape);
  plan.add(name(), AddBackward{.scale = scale_,
                               .dy = dy,
                               .da = shortcut,
                               .db = {.dx = dbranch, .relu_output = inner_->ends_in_relu() ? branch_ : Tensor{}}});
  GradTarget through = target;
  through.accumulate = true;
  checked_backward(*inner_, plan, dbranch, through);
}

}  // namespace minception
