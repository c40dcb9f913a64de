#include "layers/residual.h"

namespace minception {
namespace {

std::string name_within(const std::string& name, const std::string& inner) {
  return inner.empty() ? name : name + "." + inner;
}

}  // namespace

Residual& Residual::project(std::string name, std::unique_ptr<Layer> projection) {
  require(projection != nullptr, "the projection '", name, "' of a residual connection is null");
  require(!name.empty(), "the projection of a residual connection has no name");
  require(name != inner_name_, "the branch and the projection of a residual connection are both named '", name, "'");
  projection_name_ = std::move(name);
  projection_ = std::move(projection);
  return *this;
}

void Residual::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  inner_->infer(name_within(name, inner_name_), input);
  if (projection_ != nullptr) projection_->infer(name + "." + projection_name_, input);
}

void Residual::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  inner_->register_parameters(table, name_within(name, inner_name_));
  if (projection_ != nullptr) projection_->register_parameters(table, name + "." + projection_name_);
}

Shape Residual::output_shape(const Shape& input) const {
  const Shape branch = checked_output_shape(*inner_, input);
  if (projection_ != nullptr) {
    const Shape projected = checked_output_shape(*projection_, input);
    require(branch == projected, name(), ": the residual branch yields ", batch_shape(branch), " but the projection ",
            batch_shape(projected), "; they must match");
  } else {
    require(branch == input, name(), ": the residual branch yields ", batch_shape(branch), " but the input is ",
            batch_shape(input), "; they must match, or the block needs a projection");
  }
  return branch;
}

Tensor Residual::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  shortcut_ = projection_ != nullptr ? checked_forward(*projection_, plan, x) : x;
  branch_ = checked_forward(*inner_, plan, x);
  const Tensor y = output(plan, x, destination);
  plan.add(name(), AddForward{.scale = scale_, .relu = relu_, .a = shortcut_, .b = branch_, .y = y});
  return y;
}

GradTarget Residual::gradient_of(Plan& plan, const Layer& branch, const Tensor& y) {
  return {.dx = plan.activation(branch.name() + ": output gradient", y.shape),
          .relu_output = branch.ends_in_relu() ? y : Tensor{}};
}

void Residual::backward_projected(Plan& plan, const Tensor& dy, const GradTarget& shortcut, const GradTarget& through) {
  Tensor dprojection = dy, dbranch = dy;  // an addition passes its gradient on
  if (scale_ != 1.0 || inner_->ends_in_relu() || projection_->ends_in_relu()) {
    const GradTarget da = gradient_of(plan, *projection_, shortcut_), db = gradient_of(plan, *inner_, branch_);
    plan.add(name(), AddBackward{.scale = scale_, .dy = dy, .da = da, .db = db});
    dprojection = da.dx;
    dbranch = db.dx;
  }
  checked_backward(*projection_, plan, dprojection, shortcut);
  checked_backward(*inner_, plan, dbranch, through);
}

void Residual::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  GradTarget shortcut = target;
  shortcut.relu_output = {};  // the branch completes the sum and applies the mask
  GradTarget through = target;
  through.accumulate = true;
  if (projection_ != nullptr) return backward_projected(plan, dy, shortcut, through);
  // AddBackward always writes the shortcut's gradient: without dx, it goes to an unused activation.
  if (!shortcut.dx.defined()) shortcut.dx = plan.activation(name() + ": unused input gradient", dy.shape);
  const GradTarget db = gradient_of(plan, *inner_, branch_);
  plan.add(name(), AddBackward{.scale = scale_, .dy = dy, .da = shortcut, .db = db});
  checked_backward(*inner_, plan, db.dx, through);
}

}  // namespace minception
