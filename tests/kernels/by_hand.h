#pragma once
/// Small operations written out as lists of numbers, run on `reference` in double.

#include <minception/kernels/backend.h>

#include <minception/tests/catch.h>
#include <cmath>
#include <limits>
#include <vector>

namespace minception::by_hand {

using Numbers = std::vector<double>;

inline const double kNaN = std::nan("");
inline const double kInfinity = std::numeric_limits<double>::infinity();

/// A list of numbers, in the order of memory (channels last), as a tensor.
inline Tensor view(Numbers& numbers, Shape shape) { return Tensor(shape, DType::f64, numbers.data()); }
template <class T>
inline Tensor view(std::vector<T>& numbers, Shape shape) {
  return Tensor(shape, dtype_of<T>::value, numbers.data());
}

inline void run(const Operation& operation) { make_reference_backend()->run(operation); }

inline auto is(const Numbers& expected) { return Catch::Matchers::Approx(expected).margin(1e-12); }

}  // namespace minception::by_hand
