#pragma once
#include "layers/layer.h"

namespace minception {

/// Rectified linear unit (Nair & Hinton 2010), for places where it cannot be fused into another operation.
///   forward    y = max(0, x)
///   backward   dx = dy * (y > 0)
/// Backward needs y.
class ReLU final : public Layer {
 public:
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  Tensor y_;
};

}  // namespace minception
