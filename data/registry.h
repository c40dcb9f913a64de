#pragma once
/// The data sets by name, as the programs take them from the command line.

#include <minception/data/image_dataset.h>

#include <filesystem>
#include <string>
#include <vector>

namespace minception {

/// The names that load_dataset knows.
std::vector<std::string> dataset_names();

/// Where the data set lies when its Debian package is installed, or would lie if it had one (MNIST has none). Throws
/// Error for an unknown name.
std::filesystem::path default_data_dir(const std::string& name);

/// Loads a data set from `dir`, or from default_data_dir where `dir` is empty. Throws Error for an unknown
/// name (with the known ones) and for whatever is wrong with its files.
Dataset load_dataset(const std::string& name, const std::filesystem::path& dir = {});

}  // namespace minception
