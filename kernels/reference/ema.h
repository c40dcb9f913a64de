#pragma once
/// average = step <= 1 ? w : average + (1 - decay) * (w - average).

#include <minception/kernels/operations.h>

namespace minception::reference {

template <class T>
void ema_update(const EmaUpdate& op) {
  const bool first = op.step.as<const std::int64_t>()[0] <= 1;
  const T* const w = op.w.as<const T>();
  T* const average = op.average.as<T>();
  for (std::int64_t i = 0; i < op.w.elements(); ++i) {
    const auto before = static_cast<double>(average[i]);
    average[i] = first ? w[i] : static_cast<T>(before + (1.0 - op.decay) * (static_cast<double>(w[i]) - before));
  }
}

}  // namespace minception::reference
