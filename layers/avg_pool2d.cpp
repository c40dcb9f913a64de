#include "layers/avg_pool2d.h"

namespace minception {

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Extent2d output) : output_(output) {
  require(output.h >= 1 && output.w >= 1, "an adaptive pool to ", output.h, "x", output.w,
          " pixels: each extent must be at least 1");
}

Shape AvgPool2d::output_shape(const Shape& input) const { return pooled_shape(input, windows_, name()); }

Tensor AvgPool2d::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  const Tensor y = output(plan, x, destination);
  plan.add(name(), AvgPool2dForward{.attributes = windows_, .x = x, .y = y});
  return y;
}

void AvgPool2d::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (target.dx.defined()) plan.add(name(), AvgPool2dBackward{.attributes = windows_, .dy = dy, .target = target});
}

Tensor AdaptiveAvgPool2d::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  const Tensor y = output(plan, x, destination);
  plan.add(name(), AdaptiveAvgPool2dForward{.x = x, .y = y});
  return y;
}

void AdaptiveAvgPool2d::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (target.dx.defined()) plan.add(name(), AdaptiveAvgPool2dBackward{.dy = dy, .target = target});
}

Tensor GlobalAvgPool::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  const Tensor y = output(plan, x, destination);
  plan.add(name(), GlobalAvgPoolForward{.x = x, .y = y});
  return y;
}

void GlobalAvgPool::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (target.dx.defined()) plan.add(name(), GlobalAvgPoolBackward{.dy = dy, .target = target});
}

}  // namespace minception
