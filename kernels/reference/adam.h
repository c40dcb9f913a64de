#pragma once
/// m = beta1 * m + (1 - beta1) * g',   v = beta2 * v + (1 - beta2) * g'^2,
/// w -= learning_rate * scale / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon), for every group that
/// trains. Weight decay is added to the gradient or, in AdamW, subtracted from the weights first.

#include "core/moving_average.h"
#include "kernels/operations.h"

#include <cmath>

namespace minception::reference {

template <class T>
void adam_step(const AdamStep& op) {
  const auto t = static_cast<double>(op.step.as<const std::int64_t>()[0]);
  const auto learning_rate = static_cast<double>(op.schedule.as<const float>()[0]);
  const auto beta1 = static_cast<double>(op.schedule.as<const float>()[1]);
  const double correction1 = 1.0 - std::pow(beta1, t);
  const double correction2 = std::sqrt(1.0 - std::pow(op.beta2, t));
  const double factor = op.factor.defined() ? static_cast<double>(op.factor.as<const T>()[0]) : 1.0;
  const T* const g = op.g.as<const T>();
  T* const w = op.w.as<T>();
  T* const m = op.m.as<T>();
  T* const v = op.v.as<T>();
  for (const ParameterGroup& group : op.groups) {
    if (!group.trains) continue;
    const double rate = learning_rate * group.learning_rate_scale;
    for (std::int64_t i = group.begin; i < group.begin + group.count; ++i) {
      const auto weight = static_cast<double>(w[i]);
      const double decay = group.weight_decay * weight;
      const double gradient = factor * static_cast<double>(g[i]) + (op.decoupled ? 0.0 : decay);
      const double first = moving_average(static_cast<double>(m[i]), gradient, beta1, 1.0 - beta1);
      const double second = moving_average(static_cast<double>(v[i]), gradient * gradient, op.beta2, 1.0 - op.beta2);
      m[i] = static_cast<T>(first);
      v[i] = static_cast<T>(second);
      w[i] = static_cast<T>(weight - (op.decoupled ? rate * decay : 0.0) -
                            rate / correction1 * first / (std::sqrt(second) / correction2 + op.epsilon));
    }
  }
}

}  // namespace minception::reference
