#include "layers/softmax_cross_entropy.h"
#include "layers/control.h"

namespace minception {

Tensor SoftmaxCrossEntropyLoss::plan(Plan& plan, const std::string& name, std::size_t head, const Tensor& logits,
                                     const Tensor& labels) const {
  Tensor dlogits;
  if (plan.mode() == Mode::training) dlogits = plan.activation(name + ": logits gradient", logits.shape);
  plan.add(name, SoftmaxCrossEntropy{.label_smoothing = label_smoothing,
                                     .weight = weight,
                                     .logits = logits,
                                     .labels = labels,
                                     .metrics = metrics_tensor(plan, head),
                                     .dlogits = dlogits});
  return dlogits;
}

}  // namespace minception
