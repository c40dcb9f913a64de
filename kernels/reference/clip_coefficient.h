#pragma once
/// factor = min(1, max_norm / (norm + 1e-6)) with the norm over all groups that train; NaN if the norm is not finite.

#include "kernels/operations.h"

#include <cmath>
#include <limits>

namespace minception::reference {

template <class T>
void clip_coefficient(const ClipCoefficient& op) {
  const T* const g = op.g.as<const T>();
  double sum = 0.0;
  for (const ParameterGroup& group : op.groups) {
    if (!group.trains) continue;
    for (std::int64_t i = group.begin; i < group.begin + group.count; ++i) {
      sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    }
  }
  const double factor = op.max_norm / (std::sqrt(sum) + 1e-6);
  op.factor.as<T>()[0] =
      static_cast<T>(std::isfinite(sum) ? (factor < 1.0 ? factor : 1.0) : std::numeric_limits<double>::quiet_NaN());
}

}  // namespace minception::reference
