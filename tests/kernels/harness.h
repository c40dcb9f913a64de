#pragma once
/// Holds a backend against `reference` in double, case by case.
///
/// A case is given real memory: every operand lies between guard values, slices lie in their wider tensor,
/// outputs are filled with NaN, inputs with random values that are exact in float. Then these must hold:
/// - every written operand agrees with `reference` in double, ||a - b|| <= tolerance * ||b||, integers
/// exactly;
/// - guards, the neighbours of slices and all inputs keep their bits;
/// - what the operation leaves as it is (frozen parameters) keeps its value;
/// - a second run, with other garbage in the workspace, gives the same bits, and so does a run with packed
/// weights.

#include <minception/kernels/backend.h>
#include <minception/tests/cases/case.h>

#include <string>

namespace minception {

struct CheckResult {
  bool passed = true;
  std::string message;  ///< one line that names the operation, the case, the operand and the numbers
  bool threw = false;   ///< it failed because the backend threw
};

/// Relative norm per tensor within which f32 results of one operation agree with `reference` in double.
inline constexpr double kTolerance = 2e-5;

CheckResult check_case(Backend& backend, const Case& test_case, double tolerance = kTolerance);

/// Plants `value` (NaN or infinity) in one floating input after the other: wherever `reference` in double is
/// then not finite, the backend must not be finite either; and some result must not be finite, except where
/// the formula lets the value vanish (a ReLU mask, a variance of infinity).
CheckResult check_propagation(Backend& backend, const Case& test_case, double value);

}  // namespace minception
