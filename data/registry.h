#pragma once
/// The data sets by name, as the programs take them from the command line.

#include <minception/data/image_dataset.h>
#include <minception/data/image_folder.h>
#include <minception/data/subset.h>

#include <filesystem>
#include <string>
#include <vector>

namespace minception {

/// The names of the published data sets that load_dataset knows.
std::vector<std::string> dataset_names();

/// Where the data set lies when its Debian package is installed, or would lie if it had one. Throws Error for an unknown
/// name.
std::filesystem::path default_data_dir(const std::string& name);

/// Whether the name stands for images of the user's own: "folder:PATH", several folders as "folder:PATH:PATH", or "folder"
/// with the path as `dir`.
bool is_image_folder(const std::string& name);

/// The folders of "folder:PATH" or "folder:PATH:PATH..."; those of `dir` where that is given.
std::vector<std::filesystem::path> image_folder_paths(const std::string& name, const std::filesystem::path& dir);

/// Loads a data set from `dir`. Where that is empty, from default_data_dir or the PATH of "folder:PATH". `options` are for
/// such folders alone. What the selection does not take is not decoded. Throws Error for an unknown name (with the known ones) and for whatever is wrong with the files.
Dataset load_dataset(const std::string& name, const std::filesystem::path& dir = {},
                     const ImageFolderOptions& options = {}, const Selection& selection = {});

}  // namespace minception
