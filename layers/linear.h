#pragma once
#include "layers/layer.h"
#include "layers/settings.h"

#include <concepts>

namespace minception {

/// Fully connected layer.
///   forward    y = x w^T + bias
///   backward   dw = dy^T x,  dbias = sum dy over n,  dx = dy w
/// Backward needs x. The output is dense: it cannot be a branch of Concat.
class Linear final : public Layer {
 public:
  struct Options {
    ByName by_name = ByName();
    std::int64_t in_features = 0;  ///< 0: those of the input; another value must be equal to them
    std::int64_t out_features = 0;
    bool bias = true;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("in_features", self.in_features, from_input);
      f("out_features", self.out_features);
      f("bias", self.bias);
    }
  };

  /// Throws Error for fewer than 1 output feature.
  explicit Linear(const Options& options);
  explicit Linear(std::int64_t out_features) : Linear(Options{.out_features = out_features}) {}
  /// Linear(10, {.bias = false}). Throws Error if the options have out_features, too.
  Linear(std::int64_t out_features, Options options);
  /// Linear(256, 10): in_features and out_features, as in PyTorch.
  Linear(std::int64_t in_features, std::int64_t out_features) : Linear(in_features, out_features, Options{}) {}
  Linear(std::int64_t in_features, std::int64_t out_features, Options options);
  /// Linear(10, false) is not a number of features: write Linear(10, {.bias = false}).
  template <std::same_as<bool> B>
  Linear(std::int64_t, B) = delete;
  template <std::same_as<bool> B>
  Linear(std::int64_t, std::int64_t, B) = delete;
  const Options& options() const { return options_; }

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  Options options_;
  std::int64_t in_features_ = 0;
  ParameterId weight_ = 0;
  ParameterId bias_ = 0;
  Tensor x_;
};

}  // namespace minception
