#pragma once
/// Sets of options of `train` that are known to work, by name: published trainings, and our own. docs/training.md lists
/// them with what came of them.

#include <minception/data/image_folder.h>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace minception {

struct Recipe {
  const char* name;
  const char* about;               ///< one line
  nlohmann::ordered_json options;  ///< by name, as on the command line without "--"; all others keep their defaults
};

const std::vector<Recipe>& recipes();

/// Fraction of a folder's training images that is for validation, unless asked otherwise.
inline constexpr double kFolderValidation = 0.2;

/// The options of the recipe "folder", which follow from the images; also the defaults of `train --data folder:PATH`.
nlohmann::ordered_json folder_recipe(const ImageFolderSummary& folder);

/// Throws Error, with the names there are, for an unknown one.
const Recipe& find_recipe(const std::string& name);

}  // namespace minception
