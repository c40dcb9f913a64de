#pragma once
#include "layers/conv2d.h"
#include "layers/settings.h"

namespace minception {

/// Batch normalisation (Ioffe & Szegedy 2015, algorithm 1 and the derivatives of section 3), optional fused ReLU.
///   forward    xhat = (x - mean) * rstd, with batch statistics in training and running statistics in inference;
///              y = gamma * xhat + beta,  then max(0, y) with `relu`
///   backward   dbeta = sum dy,  dgamma = sum dy * xhat,
///              dx = gamma * rstd * (dy - dbeta / m - xhat * dgamma / m),  m values per channel
/// Backward needs x, mean and rstd; with `relu`, dy is already masked by (y > 0).
/// If weight and bias are frozen, training uses the running statistics, too, and does not update them:
/// dx = dy * gamma / sqrt(running_var + epsilon).
class BatchNorm2d final : public Layer {
 public:
  struct Options {
    std::int64_t channels = 0;  ///< 0: those of the input; another value must be equal to them
    double epsilon = 1e-5;
    double momentum = 0.1;
    bool relu = false;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("channels", self.channels, from_input);
      f("epsilon", self.epsilon);
      f("momentum", self.momentum);
      f("relu", self.relu);
    }
  };

  BatchNorm2d() : BatchNorm2d(Options{}) {}
  /// Throws Error for negative channels, an epsilon that is not above 0, or a momentum outside [0, 1].
  explicit BatchNorm2d(const Options& options);
  /// BatchNorm2d(32). Throws Error for channels below 1.
  explicit BatchNorm2d(std::int64_t channels);
  const Options& options() const { return options_; }

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return options_.relu || fused_relu_; }
  bool fuse_relu() override { return fused_relu_ = true; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

  /// Inference: plans `conv` and this BatchNorm as one convolution with folded weights and a bias. `conv` has neither
  /// bias nor ReLU.
  Tensor forward_folded(Plan& plan, Conv2d& conv, const Tensor& x, const Tensor& destination);
  /// Folds this BatchNorm into weights `w`.
  void fold(Plan& plan, const Tensor& w, const Tensor& folded_w, const Tensor& folded_bias);

 private:
  bool frozen(const Plan& plan) const { return !plan.trains(gamma_) && !plan.trains(beta_); }

  Options options_;
  std::int64_t channels_ = 0;
  bool fused_relu_ = false;
  ParameterId gamma_ = 0;
  ParameterId beta_ = 0;
  ParameterId running_mean_ = 0;
  ParameterId running_var_ = 0;
  Tensor x_, mean_, rstd_;
};

}  // namespace minception
