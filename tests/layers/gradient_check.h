#pragma once
/// Analytic gradients against central differences, in double.
///
/// Per coordinate, with a the analytic and n = (L(x + h) - L(x - h)) / 2h the numeric gradient, h = 1e-6:
///   |a - n| <= 1e-6 * max(|a|, |n|) + noise,   noise = 10 * epsilon * |L| / h.
/// A coordinate at which a ReLU mask or an argmax differs between x - h, x and x + h has no such derivative and is
/// skipped; at most 5 % may be. At least 4 coordinates per tensor (or all of a smaller one) must have a gradient above
/// 100 times the noise, else the check would say nothing.

#include <minception/layers/layer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace minception {

/// A tensor whose gradient is checked.
struct CheckedTensor {
  std::string name;
  double* values = nullptr;
  std::vector<double> gradient;
};

struct GradientProblem {
  std::function<double()> loss;              ///< runs the forward pass
  std::function<std::uint64_t()> decisions;  ///< fingerprint of the masks and argmaxes of the last forward pass
  std::vector<CheckedTensor> tensors;
};

struct GradientReport {
  int checked = 0;
  int skipped = 0;
  std::vector<std::string> failures;  ///< one line each
  bool passed() const { return failures.empty(); }
  std::string summary() const;
};

/// Checks `coordinates` values of every tensor (or all), spread over it by `seed`; more, where few of them tell. With `stop_early` the first failure ends
/// it: enough for a mutation.
GradientReport check_gradients(GradientProblem& problem, int coordinates = 24, bool stop_early = false,
                               std::uint64_t seed = 1);

/// A fingerprint of all ReLU masks and argmaxes that these operations have computed (memory must not be shared).
std::uint64_t decisions_of(const std::vector<Operation>& operations);

/// Changes the steps of a backward pass, to see that a check notices.
using Mutation = std::function<void(std::vector<Operation>& backward)>;

/// One layer, planned for `input` in double on `reference`, with the loss L = sum of r * y for random r: checks the
/// gradients of its input and of all its parameters. `mutation` alters the backward pass first.
GradientReport check_layer(const std::function<std::unique_ptr<Layer>()>& make, const Shape& input,
                           const Mutation& mutation = {});

/// Every single fault that the backward pass of the layer could have in its list of steps: one left out, an
/// accumulation flag flipped, a mask forgotten.
struct NamedMutation {
  std::string name;
  Mutation apply;
};
std::vector<NamedMutation> backward_mutations(const std::function<std::unique_ptr<Layer>()>& make, const Shape& input);

}  // namespace minception
