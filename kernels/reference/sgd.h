#pragma once
/// g' = factor * g + weight_decay * w,   v = momentum * v + g',   w -= learning_rate * scale * (nesterov ? g' +
/// momentum*v : v), for every group that trains.

#include "kernels/operations.h"

namespace minception::reference {

template <class T>
void sgd_step(const SgdStep& op) {
  const auto learning_rate = static_cast<double>(op.schedule.as<const float>()[0]);
  const auto momentum = static_cast<double>(op.schedule.as<const float>()[1]);
  const T* const g = op.g.as<const T>();
  T* const w = op.w.as<T>();
  T* const v = op.v.defined() ? op.v.as<T>() : nullptr;
  const double factor = op.factor.defined() ? static_cast<double>(op.factor.as<const T>()[0]) : 1.0;
  for (const ParameterGroup& group : op.groups) {
    if (!group.trains) continue;
    for (std::int64_t i = group.begin; i < group.begin + group.count; ++i) {
      const double gradient = factor * static_cast<double>(g[i]) + group.weight_decay * static_cast<double>(w[i]);
      const double velocity = (v != nullptr ? momentum * static_cast<double>(v[i]) : 0.0) + gradient;
      const double step = op.nesterov ? gradient + momentum * velocity : velocity;
      if (v != nullptr) v[i] = static_cast<T>(velocity);
      w[i] = static_cast<T>(static_cast<double>(w[i]) - learning_rate * group.learning_rate_scale * step);
    }
  }
}

}  // namespace minception::reference
