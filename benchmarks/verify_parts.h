#pragma once
/// Holds operations that are too large for `reference` against it in parts: some images, or some filters.

#include <minception/tests/kernels/precision.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace minception {

/// How far the norm of a difference may be off, in parts of the norm: 2.5 times and more what rounding the factors (tf32:
/// 2^-11 each at most; bf16: 2^-9, and the result as well) or long sums (f32) cost, and far below one lost tap.
inline double tolerance(const Precision& precision) {
  return precision.name == "f32" ? 1e-4 : precision.name == "tf32" ? 2e-3 : 8e-3;
}

/// Whether two tensors agree as a whole, and no single element is off by more than chance explains: a multiple of its own
/// size or of the usual one. NaN never agrees.
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

/// Whether what an operation on `table_value` operands (timing.h) wrote, `results`, is what `reference` in double makes of
/// it: looks at `parts` images, or filters of weight gradients, evenly spread; the first and the last are among them.
bool parts_agree(const Operation& operation, const Precision& precision, const std::vector<std::vector<float>>& results,
                 std::int64_t parts);

}  // namespace minception
