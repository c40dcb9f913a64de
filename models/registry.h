#pragma once
/// Models by name.

#include <minception/models/model.h>

#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// Builds the model that `config.name` says. Throws Error that lists the names for an unknown one, and Error naming the
/// layer if the input size leaves a layer without output.
Model make_model(const ModelConfig& config);

/// The input and classes that the model's description says, for where no data set does. Throws Error that lists the
/// names for an unknown one.
ModelConfig default_config(std::string_view name);

/// The names that make_model knows, in alphabetical order.
std::vector<std::string> model_names();

}  // namespace minception
