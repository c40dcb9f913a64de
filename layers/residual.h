#pragma once
#include "layers/sequential.h"

#include <cmath>
#include <memory>
#include <string>

namespace minception {

/// Residual connection (He et al. 2016) with optional scale (Szegedy et al. 2017, section 3.3) and optional projection
/// p, whose output is added instead of the input (He et al. 2016, equation 2).
///   forward    y = max(0, s(x) + scale * f(x)),  s(x) = p(x) or x   (the max only with `relu`)
///   backward   dx = (input gradient of s, given dy) + (input gradient of f, given scale * dy)
/// f(x) has the shape of s(x). With `relu`, dy is already masked by (y > 0).
class Residual final : public Layer {
 public:
  /// Residual({Conv2d(32, 3, {.padding = 1}), BatchNorm2d()}): the branch is named "residual".
  explicit Residual(Sequential branch, double scale = 1.0, bool relu = false)
      : Residual("residual", std::make_unique<Sequential>(std::move(branch)), scale, relu) {}
  /// Residual({Conv2d(64, 3, {.stride = 2, .padding = 1})}, {Conv2d(64, 1, {.stride = 2})}): the projection is named
  /// "projection".
  Residual(Sequential branch, Sequential projection, double scale = 1.0, bool relu = false)
      : Residual(std::move(branch), scale, relu) {
    project("projection", std::make_unique<Sequential>(std::move(projection)));
  }
  /// The full name of `inner` is "<name of this>.<inner_name>", or that of this layer if `inner_name` is empty.
  Residual(std::string inner_name, std::unique_ptr<Layer> inner, double scale = 1.0, bool relu = false)
      : inner_name_(std::move(inner_name)), inner_(std::move(inner)), scale_(scale), relu_(relu) {
    require(std::isfinite(scale), "a residual connection with scale ", scale, ": it must be a finite number");
    require(inner_ != nullptr, "the layer '", inner_name_, "' of a residual connection is null");
  }
  /// Adds the output of `projection`, named "<name of this>.<name>", instead of the input.
  Residual& project(std::string name, std::unique_ptr<Layer> projection);

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return relu_; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

  const std::string& inner_name() const { return inner_name_; }
  const Layer& inner() const { return *inner_; }
  const std::string& projection_name() const { return projection_name_; }
  /// nullptr: the input is added as it is.
  const Layer* projection() const { return projection_.get(); }
  double scale() const { return scale_; }
  bool relu() const { return relu_; }

 private:
  /// The gradient of a branch with output `y`; its mask completes it.
  static GradTarget gradient_of(Plan& plan, const Layer& branch, const Tensor& y);
  void backward_projected(Plan& plan, const Tensor& dy, const GradTarget& shortcut, const GradTarget& through);

  std::string inner_name_, projection_name_;
  std::unique_ptr<Layer> inner_, projection_;
  double scale_;
  bool relu_;
  Tensor branch_, shortcut_;
};

}  // namespace minception
