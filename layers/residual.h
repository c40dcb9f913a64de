#pragma once
#include "layers/sequential.h"

#include <cmath>
#include <memory>
#include <string>

namespace minception {

/// Residual connection (He et al. 2016) with optional scale (Szegedy et al. 2017, section 3.3).
///   forward    y = max(0, x + scale * f(x))                     (the max only with `relu`)
///   backward   dx = dy + (input gradient of f, given scale * dy)
/// f(x) has the shape of x. With `relu`, dy is already masked by (y > 0).
class Residual final : public Layer {
 public:
  /// Residual({Conv2d(32, 3, {.padding = 1}), BatchNorm2d()}): the branch is named "residual".
  explicit Residual(Sequential branch, double scale = 1.0, bool relu = false)
      : Residual("residual", std::make_unique<Sequential>(std::move(branch)), scale, relu) {}
  /// The full name of `inner` is "<name of this>.<inner_name>".
  Residual(std::string inner_name, std::unique_ptr<Layer> inner, double scale = 1.0, bool relu = false)
      : inner_name_(std::move(inner_name)), inner_(std::move(inner)), scale_(scale), relu_(relu) {
    require(!inner_name_.empty(), "the layer of a residual connection has no name");
    require(std::isfinite(scale), "a residual connection with scale ", scale, ": it must be a finite number");
    require(inner_ != nullptr, "the layer '", inner_name_, "' of a residual connection is null");
  }

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return relu_; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

  const std::string& inner_name() const { return inner_name_; }
  const Layer& inner() const { return *inner_; }
  double scale() const { return scale_; }
  bool relu() const { return relu_; }

 private:
  std::string inner_name_;
  std::unique_ptr<Layer> inner_;
  double scale_;
  bool relu_;
  Tensor branch_;
};

}  // namespace minception
