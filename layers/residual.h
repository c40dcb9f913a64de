#pragma once
#include "layers/layer.h"

#include <memory>
#include <string>

namespace minception {

/// Residual connection (He et al. 2016) with optional scale (Szegedy et al. 2017, section 3.3).
///   forward    y = max(0, x + scale * f(x))                     (the max only with `relu`)
///   backward   dx = dy + (input gradient of f, given scale * dy)
/// f(x) has the shape of x. With `relu`, dy is already masked by (y > 0).
class Residual final : public Layer {
 public:
  /// The full name of `inner` is "<name of this>.<inner_name>".
  Residual(std::string inner_name, std::unique_ptr<Layer> inner, double scale = 1.0, bool relu = false)
      : inner_name_(std::move(inner_name)), inner_(std::move(inner)), scale_(scale), relu_(relu) {
    require(inner_ != nullptr, "the layer '", inner_name_, "' of a residual connection is null");
  }

  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return relu_; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  std::string inner_name_;
  std::unique_ptr<Layer> inner_;
  double scale_;
  bool relu_;
  Tensor branch_;
};

}  // namespace minception
