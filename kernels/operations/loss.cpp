#include "kernels/operations/loss.h"
#include "kernels/operations/validator.h"

#include <cmath>
#include <utility>

namespace minception {
namespace {

class LossValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const SoftmaxCrossEntropy& op) const {
    present(op.logits, "logits");
    present(op.labels, "labels");
    present(op.metrics, "metrics");
    check(op.logits.shape.rank() == 2 && op.logits.dense(), "logits must be dense (N, K), not ", op.logits.shape);
    image(op.logits, "logits");
    floating(op.logits, "logits");
    check(op.labels.dtype == DType::i32 && op.labels.shape == Shape{op.logits.n()}, "labels must be i32 ",
          Shape{op.logits.n()}, ", not ", op.labels.shape);
    check(op.metrics.shape == Shape{2} && op.metrics.dtype == master(op.logits), "metrics must be ",
          name_of(master(op.logits)), " [2], not ", op.metrics.shape);
    if (op.dlogits.defined()) alike(op.logits, op.dlogits, "logits", "dlogits");
    check(op.label_smoothing >= 0.0 && op.label_smoothing <= 1.0, "label smoothing must be between 0 and 1, not ",
          op.label_smoothing);
    check(op.divisor > 0.0 && std::isfinite(op.divisor), "the divisor must be positive, not ", op.divisor);
    check(std::isfinite(op.weight), "the weight must be finite, not ", op.weight);
  }
};

}  // namespace

#define DEFINE(Struct, name) \
  void validate(const Struct& op) { LossValidator(#name)(op); }
MINCEPTION_LOSS_OPERATIONS(DEFINE)

}  // namespace minception
