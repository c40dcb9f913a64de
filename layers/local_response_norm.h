#pragma once
#include "layers/layer.h"
#include "layers/settings.h"

namespace minception {

/// Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3; constants as in PyTorch).
///   forward    y[c] = x[c] * d[c]^-beta,  d[c] = k + alpha/size * sum of x[j]^2 over the window of c
///   backward   dx[c] = dy[c] * d[c]^-beta - 2*alpha*beta/size * x[c] * sum of dy[j] x[j] d[j]^(-beta-1)
/// Backward needs x.
class LocalResponseNorm final : public Layer {
 public:
  struct Options : LocalResponseNormAttributes {
    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("size", self.size);
      f("alpha", self.alpha);
      f("beta", self.beta);
      f("k", self.k);
    }
  };

  /// Throws Error for a size below 1, for a negative alpha or beta, for a k that is not above 0, and for NaN.
  explicit LocalResponseNorm(const LocalResponseNormAttributes& attributes = {});
  const Options& options() const { return attributes_; }

  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  Options attributes_;
  Tensor x_;
};

}  // namespace minception
