#pragma once
/// Compares a backend with `reference` in double, case by case.
///
/// Every operand is allocated between guard values, and a slice inside its wider tensor. Outputs are filled with NaN,
/// inputs with random values that are exact in their dtype. Then these must hold:
/// - every written operand agrees with `reference` in double, ||a - b|| <= tolerance * ||b||, integers exactly;
/// - guards, the neighbours of slices and all inputs keep their bits, and no access leaves an operand or the workspace
///   (`against_pages`);
/// - elements that the operation does not update (frozen parameters) keep their value;
/// - further runs, with other garbage in the workspace, give the same bits;
/// - runs with prepacked weights agree with `reference`, too.
///
/// The tolerance of an operation is 2e-5 in f32. In bf16 and tf32 it is 3 times the error of `reference` when it rounds
/// the same tensors and matrix product factors, if that is larger.

#include "kernels/backend.h"
#include "tests/cases/case.h"
#include "tests/kernels/guarded_memory.h"
#include "tests/kernels/precision.h"

#include <functional>
#include <string>
#include <vector>

namespace minception {

struct CheckResult {
  bool passed = true;
  std::string message;  ///< one line that names the operation, the case, the operand and the numbers
  bool threw = false;   ///< the failure is an exception
};

/// One way to run an operation. All ways must give the same bits.
struct Way {
  std::string name;
  std::function<void()> arrange = [] {};
  Placement placement = Placement::allocated;
};
using Ways = std::vector<Way>;

/// For backends in host memory: a guard page directly after every operand and the workspace, then directly before them.
/// An access to a guard page ends the process with a report of the case.
inline Ways against_pages() {
  return {{.name = "memory that ends at a page", .placement = Placement::ends_at_page},
          {.name = "memory that begins at a page", .placement = Placement::begins_at_page}};
}

CheckResult check_case(Backend& backend, const Case& test_case, const Precision& precision = kF32,
                       const Ways& ways = {{"first"}, {"again"}});

/// Plants `value` (NaN or infinity) in one f32 input at a time. Where the result of `reference` in double is not
/// finite, that of the backend must not be finite either. At least one result must not be finite, unless the formula
/// discards the value (fused ReLU, infinite variance, first update of an average).
CheckResult check_propagation(Backend& backend, const Case& test_case, double value, const Precision& precision = kF32);

}  // namespace minception
