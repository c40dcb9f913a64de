#include "kernels/operations/custom.h"
#include "kernels/operations.h"
#include "kernels/operations/validator.h"

namespace minception {
namespace {

class CustomValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const Custom& op) const {
    for (const auto* operands : {&op.inputs, &op.outputs, &op.updated, &op.gradients}) {
      for (const auto& [role, tensor] : *operands) {
        check(role != "dx" && role != "relu_output", role, " is in a list of operands: it belongs to `target`");
        present(tensor, role.c_str());
        check(&op[role] == &tensor, "two operands have the role ", role);
      }
    }
    if (op.target.relu_output.defined()) alike(op.target.dx, op.target.relu_output, "dx", "relu_output");
  }
};

}  // namespace

void CustomOperation::run(const Custom&, const RunContext&) const {
  fail(name(), ": no implementation for host memory: override CustomOperation::run, or supports");
}

void CustomOperation::run_cuda(const Custom&, const RunContext&) const {
  fail(name(), ": no implementation for cuda: override CustomOperation::run_cuda, or supports");
}

const Tensor* Custom::find(std::string_view role) const {
  const Tensor* found = nullptr;
  each_operand(*this, [&](std::string_view other, const Tensor& tensor, Access) {
    if (found == nullptr && other == role && tensor.defined()) found = &tensor;
  });
  return found;
}

const Tensor& Custom::operator[](std::string_view role) const {
  const Tensor* tensor = find(role);
  if (tensor == nullptr) {
    std::string roles;
    each_operand(*this, [&](std::string_view other, const Tensor& operand, Access) {
      if (operand.defined()) roles += concat(roles.empty() ? "" : ", ", other);
    });
    fail("no operand '", role, "'; it has ", roles.empty() ? "none" : roles);
  }
  return *tensor;
}

void Custom::require_alike(std::string_view a, std::string_view b) const {
  const Tensor &first = (*this)[a], &second = (*this)[b];
  require(first.shape == second.shape, a, " is ", first.shape, " but ", b, " is ", second.shape);
  require(first.dtype == second.dtype, a, " is ", name_of(first.dtype), " but ", b, " is ", name_of(second.dtype));
}

void Custom::require_workspace(Workspace workspace) const {
  const std::size_t needed = operation->workspace(*this);
  require(workspace.bytes >= needed, operation->name(), ": the workspace holds ", workspace.bytes, " bytes but ",
          needed, " are needed; plan the operation for this batch size first");
}

void validate(const Custom& op) {
  require(op.operation != nullptr, "custom: the operation is missing");
  CustomValidator(op.operation->name())(op);
  try {
    op.operation->validate(op);
  } catch (const Error& error) {
    fail(op.operation->name(), ": ", error.what());
  }
}

}  // namespace minception
