#include "layers/relu.h"

namespace minception {

Tensor ReLU::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  y_ = output(plan, x, destination);
  plan.add(name(), ReluForward{.x = x, .y = y_});
  return y_;
}

void ReLU::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (target.dx.defined()) plan.add(name(), ReluBackward{.y = y_, .dy = dy, .target = target});
}

}  // namespace minception
