#pragma once
/// Compares handwritten gradients with central differences, in double on `reference`:
///
///   Swish layer;
///   const GradientCheck check = check_gradients(layer, {4, 6, 5, 5});
///   require(check.ok(), check.text());
///
/// Per value, with analytic gradient a and numeric gradient n = (L(x + h) - L(x - h)) / 2h, h = 1e-6:
///   |a - n| <= 1e-6 * max(|a|, |n|) + noise,   noise = 10 * epsilon * |L| / h.
/// Values at which a ReLU mask or an argmax differs between x - h, x and x + h are skipped; at most 5 % may be
/// skipped. At least 4 values per tensor (or all of a smaller one) must have a gradient above 100 times the noise: with
/// fewer, the check would not be conclusive. models/gradient_check.h checks whole models.

#include "layers/layer.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace minception {

struct GradientCheckOptions {
  int coordinates = 24;     ///< values per tensor; up to eight times as many while most gradients are near zero
  std::uint64_t seed = 1;   ///< of the choice of values
  bool stop_early = false;  ///< stop at the first wrong gradient
  /// Edits the operations of a layer's backward pass before they run, to show that the check finds a mistake.
  std::function<void(std::vector<Operation>&)> edit_backward = {};
};

struct WrongGradient {
  std::int64_t element = 0;  ///< in memory order
  double analytic = 0.0, numeric = 0.0;
};

/// The checked values of one tensor.
struct TensorFindings {
  std::string name;  ///< of the parameter; "x" is the input of the layer
  Shape shape;
  int checked = 0;
  int skipped = 0;     ///< at a kink
  int conclusive = 0;  ///< above 100 times the noise
  std::vector<WrongGradient> wrong = {};
};

struct GradientCheck {
  std::vector<TensorFindings> tensors;
  /// Other findings, a line each: a loss that is not finite, inconclusive tensors, too many skipped values, accumulation,
  /// masks. What follows from another finding is left out.
  std::vector<std::string> problems;

  int checked() const;
  int skipped() const;
  bool ok() const;
  /// Counts, then a line per finding: "scale[3]: analytic 0.5, numeric 0.25".
  std::string text() const;
};

/// Checks the gradients of a layer for its input and all its parameters, for an input of shape `input`, random values
/// and the loss L = sum of r * y with random r. Then checks that backward accumulates and masks as told: GradTarget and
/// BindOptions::accumulate. Registers and plans the layer anew. Memory that is not written yet, and memory between the
/// tensors, holds NaN, so that a value that forward does not write or reads out of bounds makes the loss NaN. Throws
/// Error for the mistakes that containers find, too (layers/layer.h).
GradientCheck check_gradients(Layer& layer, const Shape& input, const GradientCheckOptions& options = {});

// ---- other losses ---------------------------------------------------------------------------------------------------

/// A tensor whose gradient is checked.
struct CheckedTensor {
  std::string name;
  Shape shape;
  double* values = nullptr;
  std::vector<double> gradient;
};

struct GradientProblem {
  std::function<double()> loss;              ///< runs the forward pass
  std::function<std::uint64_t()> decisions;  ///< fingerprint of the masks and argmaxes of the last forward pass
  std::vector<CheckedTensor> tensors;
  /// Where the last forward pass became NaN or infinite, for the report; optional.
  std::function<std::string()> not_finite = [] { return std::string(); };
};

GradientCheck check_gradients(GradientProblem& problem, const GradientCheckOptions& options = {});

/// Fingerprint of all ReLU masks and argmaxes that these operations computed; for custom operations, of the signs of
/// their inputs. The operands must not share memory.
std::uint64_t decisions_of(const std::vector<Operation>& operations);

/// The first of these steps with NaN or infinite outputs, as text; "" if there is none. `operations` are the steps, bound
/// to host memory that they do not share.
std::string first_not_finite(std::span<const Step> steps, std::span<const Operation> operations);

/// Adds hints to a check that failed: for a BatchNorm with fewer than 16 values per channel, which is too
/// ill-conditioned, and for an inconclusive bias directly before a BatchNorm, whose gradient is zero.
void add_batch_norm_hints(GradientCheck& check, const Plan& plan, std::int64_t batch);

}  // namespace minception
