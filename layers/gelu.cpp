#include "layers/gelu.h"

namespace minception {

Tensor GELU::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = output(plan, x, destination);
  plan.add(name(), GeluForward{.x = x, .y = y});
  return y;
}

void GELU::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (target.dx.defined()) plan.add(name(), GeluBackward{.x = x_, .dy = dy, .target = target});
}

}  // namespace minception
