#pragma once
/// Helpers for values worked out by hand: operands are lists of numbers, `reference` computes in double.

#include "kernels/backend.h"

#include <cmath>
#include <limits>
#include <vector>
#include "tests/catch.h"

namespace minception::by_hand {

using Numbers = std::vector<double>;

inline const double kNaN = std::nan("");
inline const double kInfinity = std::numeric_limits<double>::infinity();

/// A tensor view of numbers in memory order (channels-last).
inline Tensor view(Numbers& numbers, Shape shape) { return Tensor(shape, DType::f64, numbers.data()); }
template <class T>
inline Tensor view(std::vector<T>& numbers, Shape shape) {
  return Tensor(shape, dtype_of<T>::value, numbers.data());
}

inline void run(const Operation& operation) { make_reference_backend()->run(operation); }

inline auto is(const Numbers& expected) { return Catch::Matchers::Approx(expected).margin(1e-12); }

}  // namespace minception::by_hand
