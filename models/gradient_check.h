#pragma once
/// Gradient checks of whole models; layers/gradient_check.h has the rules and the result.
///
///   const GradientCheck check = check_gradients(small_model());
///   require(check.ok(), check.text());

#include "layers/gradient_check.h"
#include "models/network.h"

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

struct ModelGradientCheckOptions {
  std::int64_t batch = 8;
  int coordinates = 16;                ///< values per tensor
  std::vector<std::string> only = {};  ///< names of the parameters to check; empty: all
  double label_smoothing = 0.0;
  std::uint64_t seed = 3;  ///< of the initial parameters and of the images
};

/// Checks the gradient of the loss, auxiliary heads included, for the parameters of a model, with random images and
/// labels. Throws Error for a name in `only` that is no trained parameter.
GradientCheck check_gradients(Model&& model, const ModelGradientCheckOptions& options = {});
/// The same for a copy of the model (models/graph.h), as `fit` makes one. Throws Error like `clone`.
GradientCheck check_gradients(const Model& model, const ModelGradientCheckOptions& options = {});

/// The same for a network with parameters and input of your own, on `reference` with
/// NetworkOptions{.compute = DType::f64, .reuse_memory = false}. Frozen parameters are left out.
GradientCheck check_gradients(Network& network, const ModelGradientCheckOptions& options);

}  // namespace minception
