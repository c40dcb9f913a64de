#pragma once
#include "layers/layer.h"
#include "layers/settings.h"

namespace minception {

/// Inverted dropout (Srivastava et al. 2014, section 10): active in training only.
///   forward    y = x * mask / (1 - p),   mask = 1 with probability 1 - p
///   backward   dx = dy * mask / (1 - p)
/// The mask is a function of (seed, stream, epoch, sample position, element): backward recomputes it.
class Dropout final : public Layer {
 public:
  struct Options {
    double p = 0.5;
    std::int64_t seed = 1;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("p", self.p);
      f("seed", self.seed);
    }
  };

  /// Throws Error unless 0 <= p < 1.
  explicit Dropout(double p = 0.5, std::uint64_t seed = 1);
  explicit Dropout(const Options& options) : Dropout(options.p, static_cast<std::uint64_t>(options.seed)) {}
  Options options() const { return {attributes_.p, static_cast<std::int64_t>(attributes_.seed)}; }

  /// Derives the random stream of the mask from the name, so that masks do not change when other layers are added.
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  DropoutAttributes attributes_;
};

}  // namespace minception
