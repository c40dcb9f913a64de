#pragma once
/// Image files of a folder with a sub-folder per class, and the part of the data set that each belongs to. Nothing is
/// decoded here.

#include <minception/core/error.h>
#include <minception/data/image_folder.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Collects what is wrong with files and folders, to be reported together.
class Problems {
 public:
  bool empty() const { return texts_.empty(); }
  void add(std::string text) { texts_.push_back(std::move(text)); }
  /// Calls `look` and adds the Error that it throws. Returns whether it threw.
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
  /// Throws Error with everything that was added, if anything was.
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

/// Lists the parts that `options` ask for, split as `options` and `selection` say (image_folder.h). Problems of single
/// files and folders go to `problems`, and the parts are incomplete then. Throws Error for everything else that
/// load_image_folder documents.
ImageListing list_image_folder(const std::vector<std::filesystem::path>& folders, const ImageFolderOptions& options,
                               const Selection& selection, Problems& problems);

/// Folders of the parts in a folder of images; empty paths for those that are not there. Validation images lie next to
/// train, in val, valid or validation. Throws Error if two of these are there.
struct PartFolders {
  std::filesystem::path train, validation, test;
  bool any() const { return !train.empty() || !test.empty(); }
};
PartFolders part_folders(const std::filesystem::path& path);

}  // namespace minception
