#pragma once
/// Holds a backend against `reference` in double, case by case.
///
/// A case is given real memory: every operand lies between guard values, slices lie in their wider tensor, outputs are
/// filled with NaN, inputs with random values that are exact in the dtype they are stored in. Then these must hold:
/// - every written operand agrees with `reference` in double, ||a - b|| <= tolerance * ||b||, integers exactly;
/// - guards, the neighbours of slices and all inputs keep their bits, and nothing beyond an operand or the workspace is
///   touched (`against_pages`);
/// - what the operation leaves as it is (frozen parameters) keeps its value;
/// - further runs, with other garbage in the workspace, give the same bits, and so do runs with packed weights.
///
/// The tolerance is 2e-5 for one operation in f32. Where tensors or the factors of matrix products are narrower than
/// that, it is 3 times the deviation of `reference` itself when it rounds the same tensors.

#include <minception/kernels/backend.h>
#include <minception/tests/cases/case.h>
#include <minception/tests/kernels/guarded_memory.h>
#include <minception/tests/kernels/precision.h>

#include <functional>
#include <string>
#include <vector>

namespace minception {

struct CheckResult {
  bool passed = true;
  std::string message;  ///< one line that names the operation, the case, the operand and the numbers
  bool threw = false;   ///< it failed because the backend threw
};

/// One of the ways to run an operation that must all give the same bits.
struct Way {
  std::string name;
  std::function<void()> arrange = [] {};
  Placement placement = Placement::allocated;
};
using Ways = std::vector<Way>;

/// For backends in host memory: operands and workspace end at a page that must not be touched, then begin at one. An access
/// past an end or before a beginning kills the process, which says in which case that was.
inline Ways against_pages() {
  return {{.name = "memory that ends at a page", .placement = Placement::ends_at_page},
          {.name = "memory that begins at a page", .placement = Placement::begins_at_page}};
}

CheckResult check_case(Backend& backend, const Case& test_case, const Precision& precision = kF32,
                       const Ways& ways = {{"first"}, {"again"}});

/// Plants `value` (NaN or infinity) in one floating input after the other: wherever `reference` in double is
/// then not finite, the backend must not be finite either; and some result must not be finite, except where
/// the formula lets the value vanish (a ReLU mask, a variance of infinity).
CheckResult check_propagation(Backend& backend, const Case& test_case, double value, const Precision& precision = kF32);

}  // namespace minception
