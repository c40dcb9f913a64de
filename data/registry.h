#pragma once
/// Data sets by name, as given on the command lines of tools and studies.

#include "data/image_dataset.h"
#include "data/image_folder.h"
#include "data/subset.h"

#include <filesystem>
#include <string>
#include <vector>

namespace minception {

/// Names of the published data sets that load_dataset supports.
std::vector<std::string> dataset_names();

/// Folder in which a Debian package installs the data set, or would if there were one. Throws Error for an unknown
/// name.
std::filesystem::path default_data_dir(const std::string& name);

/// True if the name denotes the user's own images: "folder:PATH", "folder:PATH:PATH..." for several folders, or
/// "folder" with the path in `dir`.
bool is_image_folder(const std::string& name);

/// The folders of "folder:PATH" or "folder:PATH:PATH..."; those in `dir` if it is given.
std::vector<std::filesystem::path> image_folder_paths(const std::string& name, const std::filesystem::path& dir);

/// Loads a data set from `dir`; if that is empty, from default_data_dir or the PATH of "folder:PATH". `options` apply
/// only to such folders. Samples that the selection does not take are not decoded. Throws Error for an unknown name
/// (with the known ones) and for missing or invalid files.
Dataset load_dataset(const std::string& name, const std::filesystem::path& dir = {},
                     const ImageFolderOptions& options = {}, const Selection& selection = {});

}  // namespace minception
