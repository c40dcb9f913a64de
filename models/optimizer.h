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

/// Adam (AdamStep). Weight decay is an L2 penalty: it is added to the gradients.
struct Adam {
  double lr = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
};

/// AdamW (AdamStep with `decoupled`). Weight decay is applied to the weights, not to the gradients.
struct AdamW {
  double lr = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

using Optimizer = std::variant<Sgd, Adam, AdamW>;

inline double learning_rate_of(const Optimizer& optimizer) {
  return std::visit([](const auto& settings) { return settings.lr; }, optimizer);
}
/// Momentum of SGD or beta1 of Adam.
inline double momentum_of(const Optimizer& optimizer) {
  return std::visit(
      [](const auto& settings) {
        if constexpr (requires { settings.beta1; })
          return settings.beta1;
        else
          return settings.momentum;
      },
      optimizer);
}
inline double weight_decay_of(const Optimizer& optimizer) {
  return std::visit([](const auto& settings) { return settings.weight_decay; }, optimizer);
}
/// Whether it is Adam or AdamW.
inline bool is_adam(const Optimizer& optimizer) { return !std::holds_alternative<Sgd>(optimizer); }
/// The settings of Adam or AdamW, as Adam.
inline Adam adam_of(const Optimizer& optimizer) {
  if (const Adam* adam = std::get_if<Adam>(&optimizer)) return *adam;
  const AdamW& w = std::get<AdamW>(optimizer);
  return {.lr = w.lr, .beta1 = w.beta1, .beta2 = w.beta2, .eps = w.eps, .weight_decay = w.weight_decay};
}

}  // namespace minception
