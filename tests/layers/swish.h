#pragma once
#include "layers/layer.h"
#include "tests/kernels/swish.h"

namespace minception {

/// A layer with a custom operation and a parameter.
///   forward    y = x * s,  s = 1 / (1 + exp(-w[c] x))
///   backward   dx = dy * dy/dx,  dw = sum over pixels of dy * dy/dw
/// Backward needs x.
class Swish final : public Layer {
 public:
  explicit Swish(std::int64_t channels) : channels_(channels) {}

  void register_parameters(ParameterTable& table, const std::string& name) override {
    Layer::register_parameters(table, name);
    weight_ = table.add({.name = name + ".weight", .shape = {channels_}, .role = ParameterRole::norm_weight});
  }
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override {
    x_ = x;
    const Tensor y = output(plan, x, destination);
    plan.add(name(), swish_forward(x, plan.parameter(weight_), y));
    return y;
  }
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override {
    // One operation computes both gradients. Without a layer below, dx goes to a tensor that nothing reads.
    const GradTarget used =
        target.dx.defined() ? target : GradTarget{.dx = plan.activation(name() + ": unused gradient", x_.shape)};
    plan.add(name(), swish_backward(x_, plan.parameter(weight_), dy, plan.gradient(weight_), used));
  }

 private:
  std::int64_t channels_;
  ParameterId weight_ = 0;
  Tensor x_;
};

}  // namespace minception
