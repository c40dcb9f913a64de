#pragma once
/// y[k] = {sqrt(sum of x^2), number of NaN or infinite elements} of group k.

#include "kernels/operations.h"

#include <cmath>

namespace minception::reference {

template <class T>
void group_norms(const GroupNorms& op) {
  const T* const x = op.x.as<const T>();
  T* y = op.y.as<T>();
  for (const ParameterGroup& group : op.groups) {
    double sum = 0.0;
    double not_finite = 0.0;
    for (std::int64_t i = group.begin; i < group.begin + group.count; ++i) {
      const auto value = static_cast<double>(x[i]);
      sum += value * value;
      if (!std::isfinite(value)) not_finite += 1.0;
    }
    y[0] = static_cast<T>(std::sqrt(sum));
    y[1] = static_cast<T>(not_finite);
    y += 2;
  }
}

}  // namespace minception::reference
