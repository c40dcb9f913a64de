#include "kernels/operations/optimizer.h"
#include "kernels/operations/validator.h"

#include <cmath>
#include <utility>

namespace minception {
namespace {

class OptimizerValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const SgdStep& op) const {
    schedule(op.schedule);
    flat(op.w, "w");
    same_flat(op.g, op.w, "g", "w");
    if (op.v.defined()) same_flat(op.v, op.w, "v", "w");
    factor(op.factor, op.w);
    groups(op.groups, op.w);
  }
  void operator()(const AdamStep& op) const {
    step(op.step);
    schedule(op.schedule);
    flat(op.w, "w");
    same_flat(op.g, op.w, "g", "w");
    same_flat(op.m, op.w, "m", "w");
    same_flat(op.v, op.w, "v", "w");
    factor(op.factor, op.w);
    groups(op.groups, op.w);
    check(op.beta2 >= 0.0 && op.beta2 < 1.0, "beta2 must be in [0, 1), not ", op.beta2);
    check(op.epsilon >= 0.0 && std::isfinite(op.epsilon), "epsilon must be 0 or more, not ", op.epsilon);
  }
  void operator()(const ClipCoefficient& op) const {
    flat(op.g, "g");
    present(op.factor, "factor");
    factor(op.factor, op.g);
    groups(op.groups, op.g);
    check(op.max_norm > 0.0, "max_norm must be positive, not ", op.max_norm);
  }
  void operator()(const EmaUpdate& op) const {
    step(op.step);
    flat(op.w, "w");
    same_flat(op.average, op.w, "average", "w");
    check(op.decay >= 0.0 && op.decay <= 1.0, "the decay must be between 0 and 1, not ", op.decay);
  }
  void operator()(const GroupNorms& op) const {
    flat(op.x, "x");
    present(op.y, "y");
    const Shape expected = {static_cast<std::int64_t>(op.groups.size()), 2};
    check(op.y.shape == expected && op.y.dense() && op.y.dtype == op.x.dtype, "y must be dense ", name_of(op.x.dtype),
          " ", expected, ", not ", name_of(op.y.dtype), " ", op.y.shape);
    groups(op.groups, op.x);
  }

 private:
  /// Requires a flat buffer of a master dtype.
  void flat(const Tensor& buffer, const char* role) const {
    present(buffer, role);
    check(buffer.shape.rank() == 1 && (buffer.dtype == DType::f32 || buffer.dtype == DType::f64), role,
          " must be one flat f32 or f64 buffer, not ", name_of(buffer.dtype), " ", buffer.shape);
  }
  void same_flat(const Tensor& a, const Tensor& b, const char* role_a, const char* role_b) const {
    present(a, role_a);
    check(a.shape == b.shape && a.dtype == b.dtype, role_a, " ", a.shape, " and ", role_b, " ", b.shape, " differ");
  }
  void schedule(const Tensor& schedule) const {
    present(schedule, "schedule");
    check(schedule.dtype == DType::f32 && schedule.shape == Shape{2}, "schedule must be f32 [2]");
  }
  void step(const Tensor& step) const {
    present(step, "step");
    check(step.dtype == DType::i64 && step.shape == Shape{1}, "step must be i64 [1]");
  }
  void factor(const Tensor& factor, const Tensor& buffer) const {
    if (!factor.defined()) return;
    check(factor.dtype == buffer.dtype && factor.shape == Shape{1}, "factor must be ", name_of(buffer.dtype),
          " [1], not ", name_of(factor.dtype), " ", factor.shape);
  }
  void groups(const std::vector<ParameterGroup>& groups, const Tensor& buffer) const {
    std::int64_t end = 0;
    for (const ParameterGroup& group : groups) {
      check(group.begin >= end && group.count >= 0, "groups must be ordered and disjoint");
      end = group.begin + group.count;
      check(end <= buffer.shape[0], "a group ends at ", end, " but the buffer ends at ", buffer.shape[0]);
      const auto [first, count, scale, decay, trains] = group;
      check(scale >= 0.0 && std::isfinite(scale) && decay >= 0.0 && std::isfinite(decay), "learning rate scale ", scale,
            " and weight decay ", decay, " of a group must be 0 or more");
    }
  }
};

}  // namespace

#define DEFINE(Struct, name) \
  void validate(const Struct& op) { OptimizerValidator(#name)(op); }
MINCEPTION_OPTIMIZER_OPERATIONS(DEFINE)

}  // namespace minception
