#pragma once
/// The user's own images: a folder with one sub-folder per class, named after the class.
///
///   pets/train/cat/*.jpg  pets/train/dog/*.png  pets/test/cat/...  pets/test/dog/...    with a split
///   pets/cat/*.jpg        pets/dog/*.png                                                without a split
///
/// A folder val, valid or validation next to train holds validation images. Without one, the selection can take
/// validation images from the training images.
///
/// Classes are numbered in byte order of their names. Each file in a class folder must be an image that read_image
/// reads. Ignored are names that begin with a dot, files and folders that operating systems create (Thumbs.db,
/// desktop.ini, recycle bins, ...: docs/data.md), and files next to the class folders.

#include "core/shape.h"
#include "data/image_dataset.h"
#include "data/image_file.h"
#include "data/subset.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace minception {

struct ImageFolderOptions {
  Extent2d size = 0;   ///< (H, W) that each image is resized to by load_image; one number for both; required
  ImageOptions image;  ///< how images are resized and oriented
  /// 1 (grey) or 3 (RGB); 0: grey if every file is grey, else RGB.
  std::int64_t channels = 0;
  /// Fraction of the images of each class used for testing: rounded, at least one and not all. The choice depends only
  /// on `split_seed` and the sorted names. 0: use the images in the folder `test`, if present.
  double test_fraction = 0.0;
  std::uint64_t split_seed = 1;  ///< also used for Selection::validation_fraction
  /// CSV table that gives the class of each image instead of sub-folders: columns `path` (relative to the folder),
  /// `class` and optionally `part` (train, validation or test). Empty: use sub-folders.
  std::filesystem::path labels = {};
  /// Parts to read; the others stay empty and their folders are not read.
  bool train = true, validation = true, test = true;
  /// Folder for a cache file with the pixels of all parts, which later calls with the same files and options read
  /// instead of decoding. Files are compared by path, size and modification time. Empty: pixels are kept in memory.
  std::filesystem::path cache = {};
  int threads = 0;  ///< decoding threads; 0: the number of hardware threads
  /// Called after each image, from one thread at a time.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// Throws Error, naming the field, for invalid values. load_image_folder calls it.
void check(const ImageFolderOptions& options);

/// True if files and folders of this name are ignored: it begins with a dot, or operating systems, network storage or
/// archives create it. Upper and lower case are equivalent.
bool is_left_by_systems(const std::string& file_name);

/// Parts that the folders or the table define.
struct ImageFolderParts {
  bool train = false, validation = false, test = false;
};
/// A part is present if any of the folders has it.
ImageFolderParts image_folder_parts(const std::vector<std::filesystem::path>& folders,
                                    const ImageFolderOptions& options);

/// Folders next to `train` and `test` that belong to no part and are not read.
std::vector<std::filesystem::path> unused_folders(const std::vector<std::filesystem::path>& folders,
                                                  const ImageFolderOptions& options);

/// Summary from which training settings can be derived.
struct ImageFolderSummary {
  std::int64_t classes = 0;
  std::int64_t train_images = 0;  ///< without validation and test images
  std::int64_t side = 0;          ///< median shorter side of up to 15 images, in pixels; 0: none could be read
};

/// Counts the training images that load_image_folder would load and reads the sizes of a few. Throws Error like
/// load_image_folder, except for problems of single files.
ImageFolderSummary summarize_image_folder(const std::vector<std::filesystem::path>& folders,
                                          const ImageFolderOptions& options, const Selection& selection);

/// Reads one or several such folders; classes of the same name are merged. The images of a part are interleaved by
/// class (the first of each class, the second of each, ...), so that the first N images contain all classes.
/// Throws Error with the file or folder name
/// - if a folder is missing, unreadable, has fewer than two classes or a class without images;
/// - if parts have different classes, or a folder or table defines a part that a fraction would define, too;
/// - for folders inside a class, links without target, files that are damaged or not images, and class names that are
///   not UTF-8 text (all reported together, one line each);
/// - if the pixels do not fit into memory.
/// Images that the selection does not take are not opened. Limits of the selection apply to the interleaved order;
/// `channels` = 0 is resolved from the images taken.
Dataset load_image_folder(const std::vector<std::filesystem::path>& folders, const ImageFolderOptions& options,
                          const Selection& selection = {});
inline Dataset load_image_folder(const std::filesystem::path& folder, const ImageFolderOptions& options,
                                 const Selection& selection = {}) {
  return load_image_folder(std::vector{folder}, options, selection);
}

}  // namespace minception
