#pragma once
/// average = step <= 1 ? w : d * average + (1 - d) * w,  d = min(decay, (1 + step) / (10 + step)).

#include "core/moving_average.h"
#include "kernels/operations.h"

#include <algorithm>

namespace minception::reference {

template <class T>
void ema_update(const EmaUpdate& op) {
  const std::int64_t step = op.step.as<const std::int64_t>()[0];
  const bool first = step <= 1;
  const auto t = static_cast<double>(step);
  const double decay = std::min(op.decay, (1.0 + t) / (10.0 + t));
  const T* const w = op.w.as<const T>();
  T* const average = op.average.as<T>();
  for (std::int64_t i = 0; i < op.w.elements(); ++i) {
    const double next = moving_average(static_cast<double>(average[i]), static_cast<double>(w[i]), decay, 1.0 - decay);
    average[i] = first ? w[i] : static_cast<T>(next);
  }
}

}  // namespace minception::reference
