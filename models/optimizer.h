#pragma once
/// Settings of the optimizers, with the names of PyTorch's.

#include <variant>

namespace minception {

/// Stochastic gradient descent (SgdStep).
struct Sgd {
  double lr = 0.01;
  double momentum = 0.0;  ///< 0: no momentum buffer
  bool nesterov = false;
  double weight_decay = 0.0;
};

/// Adam or, with `decoupled`, AdamW (AdamStep).
struct Adam {
  double lr = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  bool decoupled = false;
};

using Optimizer = std::variant<Sgd, Adam>;

inline double learning_rate_of(const Optimizer& optimizer) {
  return std::visit([](const auto& settings) { return settings.lr; }, optimizer);
}
/// Momentum of SGD or beta1 of Adam.
inline double momentum_of(const Optimizer& optimizer) {
  const Sgd* sgd = std::get_if<Sgd>(&optimizer);
  return sgd != nullptr ? sgd->momentum : std::get<Adam>(optimizer).beta1;
}
inline double weight_decay_of(const Optimizer& optimizer) {
  return std::visit([](const auto& settings) { return settings.weight_decay; }, optimizer);
}
inline bool is_adam(const Optimizer& optimizer) { return std::holds_alternative<Adam>(optimizer); }

}  // namespace minception
