#include "layers/local_response_norm.h"

namespace minception {

Tensor LocalResponseNorm::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = output(plan, x, destination);
  plan.add(name(), LocalResponseNormForward{.attributes = attributes_, .x = x, .y = y});
  return y;
}

void LocalResponseNorm::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (!target.dx.defined()) return;
  plan.add(name(), LocalResponseNormBackward{.attributes = attributes_, .x = x_, .dy = dy, .target = target});
}

}  // namespace minception
