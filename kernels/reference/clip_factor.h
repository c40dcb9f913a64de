#pragma once
/// factor = min(1, max_norm / (norm + 1e-6)) with the norm over all segments that train; NaN where that is not finite.

#include <minception/kernels/operations.h>

#include <cmath>
#include <limits>

namespace minception::reference {

template <class T>
void clip_factor(const ClipFactor& op) {
  const T* const g = op.g.as<const T>();
  double sum = 0.0;
  for (const ParameterSegment& segment : op.segments) {
    if (!segment.trains) continue;
    for (std::int64_t i = segment.begin; i < segment.begin + segment.count; ++i) {
      sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    }
  }
  const double factor = op.max_norm / (std::sqrt(sum) + 1e-6);
  op.factor.as<T>()[0] =
      static_cast<T>(std::isfinite(sum) ? (factor < 1.0 ? factor : 1.0) : std::numeric_limits<double>::quiet_NaN());
}

}  // namespace minception::reference
