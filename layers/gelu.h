#pragma once
#include "layers/layer.h"

namespace minception {

/// Gaussian error linear unit (Hendrycks & Gimpel 2016). P and p: standard normal distribution function and density.
///   forward    y = x * P(x)
///   backward   dx = dy * (P(x) + x * p(x))
/// Backward needs x.
class GELU final : public Layer {
 public:
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  Tensor x_;
};

}  // namespace minception
