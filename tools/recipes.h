#pragma once
/// Named sets of options of `train`: published experiments and our own. docs/training.md lists them with their results.

#include "data/image_folder.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace minception {

struct Recipe {
  const char* name;
  const char* about;               ///< one line, shown in --help
  nlohmann::ordered_json options;  ///< by option name without "--"; all others keep their defaults
};

const std::vector<Recipe>& recipes();

/// Default fraction of a folder's training images used for validation.
inline constexpr double kFolderValidation = 0.2;

/// Options of the recipe "folder", derived from the images; also the defaults of `train --data folder:PATH`.
nlohmann::ordered_json folder_recipe(const ImageFolderSummary& folder);

/// Throws Error that lists the known names if `name` is unknown.
const Recipe& find_recipe(const std::string& name);

}  // namespace minception
