#pragma once
/// Lists the image files of a folder with one sub-folder per class, and assigns each to a part of the data set. Does
/// not decode images.

#include "core/error.h"
#include "data/image_folder.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Collects errors of files and folders, to be reported together.
class Problems {
 public:
  bool empty() const { return texts_.empty(); }
  void add(std::string text) { texts_.push_back(std::move(text)); }
  /// Calls `look` and adds the Error that it throws, if any. Returns true if it threw.
  template <class Look>
  bool added_by(const Look& look) {
    try {
      look();
      return false;
    } catch (const Error& error) {
      add(error.what());
      return true;
    }
  }
  /// Throws Error with all texts that were added, if there are any.
  void report(const std::filesystem::path& folder) const;

 private:
  std::vector<std::string> texts_;
};

struct ListedImage {
  std::filesystem::path path;
  std::int32_t label = 0;
};

struct ImageListing {
  std::vector<std::string> class_names;
  std::vector<ListedImage> train, validation, test;
};

/// Lists the parts requested by `options`, split according to `options` and `selection` (image_folder.h). Problems of
/// single files and folders are added to `problems`; the parts are then incomplete. Throws the other Errors that
/// load_image_folder documents.
ImageListing list_image_folder(const std::vector<std::filesystem::path>& folders, const ImageFolderOptions& options,
                               const Selection& selection, Problems& problems);

/// Folders of the parts in a folder of images; empty paths for missing ones. The validation folder is val, valid or
/// validation next to train; part_folders throws Error if there are two of these.
struct PartFolders {
  std::filesystem::path train, validation, test;
  bool any() const { return !train.empty() || !test.empty(); }
};
PartFolders part_folders(const std::filesystem::path& path);

}  // namespace minception
