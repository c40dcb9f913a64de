#pragma once
/// Compares analytic gradients with central differences, in double.
///
/// Per coordinate, with analytic gradient a and numeric gradient n = (L(x + h) - L(x - h)) / 2h, h = 1e-6:
///   |a - n| <= 1e-6 * max(|a|, |n|) + noise,   noise = 10 * epsilon * |L| / h.
/// Coordinates at which a ReLU mask or an argmax differs between x - h, x and x + h are skipped; at most 5 % may be
/// skipped. At least 4 coordinates per tensor (or all of a smaller one) must have a gradient above 100 times the noise:
/// with fewer, the check would not be conclusive.

#include "layers/layer.h"

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

/// Checks `coordinates` values of every tensor (or all), chosen pseudo-randomly by `seed`, and up to eight times as
/// many while fewer than 4 have a gradient above 100 times the noise. `stop_early` ends the check at the first failure.
GradientReport check_gradients(GradientProblem& problem, int coordinates = 24, bool stop_early = false,
                               std::uint64_t seed = 1);

/// Fingerprint of all ReLU masks and argmaxes that these operations computed. Their outputs must not share memory.
std::uint64_t decisions_of(const std::vector<Operation>& operations);

/// Inserts a fault into the steps of a backward pass, to test that the check detects it.
using Mutation = std::function<void(std::vector<Operation>& backward)>;

/// Checks the gradients of a layer's input and of all its parameters, in double on `reference`, for an input of shape
/// `input` and the loss L = sum of r * y with random r. `mutation` is applied to the backward pass first.
GradientReport check_layer(const std::function<std::unique_ptr<Layer>()>& make, const Shape& input,
                           const Mutation& mutation = {});

/// All single faults in the steps of the layer's backward pass: a step omitted, an accumulation flag flipped, a ReLU
/// mask omitted.
struct NamedMutation {
  std::string name;
  Mutation apply;
};
std::vector<NamedMutation> backward_mutations(const std::function<std::unique_ptr<Layer>()>& make, const Shape& input);

}  // namespace minception
