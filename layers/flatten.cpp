#include "layers/flatten.h"

namespace minception {

Tensor Flatten::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  const Tensor y = dense_output(plan, x, destination);
  plan.add(name(), FlattenForward{.x = x, .y = y});
  return y;
}

void Flatten::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (target.dx.defined()) plan.add(name(), FlattenBackward{.dy = dy, .target = target});
}

}  // namespace minception
