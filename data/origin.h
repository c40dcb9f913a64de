#pragma once
/// Records in a data set how it was loaded.

#include "data/image_folder.h"

#include <filesystem>
#include <string>
#include <vector>

namespace minception {

/// Sets Dataset::source, folder, options and image_options.
void record_origin(Dataset& dataset, const std::string& source, const std::filesystem::path& folder,
                   const Selection& selection);
void record_origin(Dataset& dataset, const std::vector<std::filesystem::path>& folders,
                   const ImageFolderOptions& options, const Selection& selection);

}  // namespace minception
