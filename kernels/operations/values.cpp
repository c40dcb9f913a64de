/// Checks of the settings that an operation reads from memory.

#include "kernels/operations.h"

#include <cmath>
#include <cstdint>

namespace minception {
namespace {

class ValueValidator {
 public:
  explicit ValueValidator(std::string_view name) : name_(name) {}

  void operator()(const LoadBatch& op) const {
    if (op.augmentation.random()) position(op.position);
  }
  void operator()(const DropoutForward& op) const { position(op.position); }
  void operator()(const DropoutBackward& op) const { position(op.position); }
  void operator()(const SgdStep& op) const {
    const float momentum = op.schedule.as<const float>()[1];
    learning_rate(op.schedule);
    check(std::isfinite(momentum) && momentum >= 0.0f, "the momentum must be 0 or more, not ", momentum);
    check(op.v.defined() || momentum == 0.0f, "a momentum of ", momentum, " needs the operand v");
  }
  void operator()(const AdamStep& op) const {
    const float beta1 = op.schedule.as<const float>()[1];
    step(op.step);
    learning_rate(op.schedule);
    check(beta1 >= 0.0f && beta1 < 1.0f, "beta1 must be in [0, 1), not ", beta1);
  }
  void operator()(const EmaUpdate& op) const { step(op.step); }
  template <class Other>
  void operator()(const Other&) const {}

 private:
  template <class... Args>
  void check(bool condition, const Args&... args) const {
    if (!condition) fail(name_, ": ", args...);
  }
  void step(const Tensor& step) const {
    const std::int64_t number = step.as<const std::int64_t>()[0];
    check(number >= 1, "the step must be 1 or more, not ", number);
  }
  void learning_rate(const Tensor& schedule) const {
    const float rate = schedule.as<const float>()[0];
    check(std::isfinite(rate) && rate >= 0.0f, "the learning rate must be 0 or more, not ", rate);
  }
  void position(const Tensor& position) const {
    const auto* at = position.as<const std::int64_t>();
    check(at[0] >= 0 && at[1] >= 0, "epoch and position must be 0 or more, not ", at[0], " and ", at[1]);
  }

  std::string_view name_;
};

}  // namespace

void validate_values(const Operation& operation) { std::visit(ValueValidator(name_of(operation)), operation); }

}  // namespace minception
