#pragma once
/// Models by name.

#include "models/model.h"

#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// Builds the model of `config.graph` or, if that is empty, the one named `config.name`. Throws Error, listing the names,
/// for an unknown name, and, naming the layer, if the input size leaves a layer without output.
Model make_model(const ModelConfig& config);

/// The model's default input and classes, for use without a data set. Throws Error, listing the names, for an unknown
/// name.
ModelConfig default_config(std::string_view name);

/// Names accepted by make_model, in alphabetical order.
std::vector<std::string> model_names();

}  // namespace minception
