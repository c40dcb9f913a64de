#pragma once
/// Verifies operations too large for `reference` in parts: some images, or some filters.

#include "tests/kernels/precision.h"

#include <cmath>
#include <cstdint>
#include <vector>

namespace minception {

/// Largest allowed relative norm of a difference: at least 2.5 times the error of rounding the factors (tf32: at most
/// 2^-11 each; bf16: 2^-9, also of the result) or of long sums (f32), and far below one missing filter position.
inline double tolerance(const Precision& precision) {
  return precision.name == "f32" ? 1e-4 : precision.name == "tf32" ? 2e-3 : 8e-3;
}

/// Whether two tensors agree in norm, and each element within a multiple of `allowed` relative to its own size or the
/// root mean square, whichever is larger. NaN never agrees.
template <class A, class B>
bool agree(const A& actual, const B& expected, double allowed) {
  double error = 0.0, size = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    error += difference * difference;
    size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  if (!(error <= allowed * allowed * size)) return false;
  const double usual = std::sqrt(size / static_cast<double>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double wanted = static_cast<double>(expected[i]);
    if (!(std::abs(static_cast<double>(actual[i]) - wanted) <= 8.0 * allowed * std::max(usual, std::abs(wanted)))) {
      return false;
    }
  }
  return true;
}

/// Whether `results`, written by an operation on `table_value` operands (timing.h), agree with `reference` in double.
/// Checks `parts` evenly spaced images, or filters of weight gradients, including the first and the last.
bool parts_agree(const Operation& operation, const Precision& precision, const std::vector<std::vector<float>>& results,
                 std::int64_t parts);

}  // namespace minception
