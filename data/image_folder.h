#pragma once
/// Images of one's own: a folder with a sub-folder per class, whose name is the name of the class.
///
///   pets/train/cat/*.jpg  pets/train/dog/*.png  pets/test/cat/...  pets/test/dog/...    published with a split
///   pets/cat/*.jpg        pets/dog/*.png                                                one part
///
/// Next to train there may be a folder with validation images: val, valid or validation. Without one, validation images are
/// taken from the training images as the selection says.
///
/// Classes are numbered in the order of their names' bytes. Each file in the folder of a class has to be an image that
/// read_image reads; passed over are files and folders whose name begins with a dot, what systems leave in folders
/// (Thumbs.db, desktop.ini, recycle bins and the like: docs/data.md), and files next to the folders of the classes.

#include <minception/core/shape.h>
#include <minception/data/image_dataset.h>
#include <minception/data/image_file.h>
#include <minception/data/subset.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace minception {

struct ImageFolderOptions {
  Shape size;          ///< (H, W) that each image is resized to by load_image
  ImageOptions image;  ///< how
  /// 1 (grey) or 3 (RGB); 0: grey if every file is grey, else RGB.
  std::int64_t channels = 0;
  /// This fraction of the images of each class is for testing, rounded, at least one and not all; which ones depends on
  /// `split_seed` and the sorted names alone. 0: those in the folder `test`, if there is one.
  double test_fraction = 0.0;
  std::uint64_t split_seed = 1;  ///< also of Selection::validation_fraction
  /// A table of comma-separated values that says the class of each image, in place of folders: columns `path` (in the
  /// folder), `class` and, if wanted, `part` (train, validation or test). Empty: there is none.
  std::filesystem::path labels = {};
  /// Parts that are read; the others are empty, and their folders are not looked at.
  bool train = true, validation = true, test = true;
  /// Folder for a file with the pixels of all parts, which a later call with the same files and options reads instead of
  /// decoding again. Files are the same if their paths, sizes and times of change are. Empty: pixels are in memory.
  std::filesystem::path cache = {};
  int threads = 0;  ///< that decode; 0: as many as the machine runs at once
  /// Called after each image, by one thread at a time.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// Whether a file or folder of this name is passed over: it begins with a dot, or is what operating systems, network
/// storage and archives leave in folders, in any case of letters.
bool is_left_by_systems(const std::string& file_name);

/// Parts that have a folder of their own.
struct ImageFolderParts {
  bool train = false, validation = false, test = false;
};
/// Of several folders: a part counts if any of them has it.
ImageFolderParts image_folder_parts(const std::vector<std::filesystem::path>& folders,
                                    const ImageFolderOptions& options);

/// Folders next to `train` and `test` that belong to no part, and are not looked at.
std::vector<std::filesystem::path> unused_folders(const std::vector<std::filesystem::path>& folders,
                                                  const ImageFolderOptions& options);

/// What settings of a training can follow from.
struct ImageFolderSummary {
  std::int64_t classes = 0;
  std::int64_t train_images = 0;  ///< without those for validation and testing
  std::int64_t side = 0;          ///< the median shorter side of some images, in pixels; 0: none could be read
};

/// Counts the training images that load_image_folder would load, and decodes a few of them. Throws Error where that throws,
/// but for single files.
ImageFolderSummary summarize_image_folder(const std::vector<std::filesystem::path>& folders,
                                          const ImageFolderOptions& options, const Selection& selection);

/// Reads such a folder, or several together: classes of the same name are one. The images of a part take turns: the first of each class, the second of each, and so on, so that
/// its first N images hold all classes. Throws Error, with the name of the file or folder: if a folder is missing or cannot
/// be read, holds fewer than two classes, or a class without images; if parts hold different classes; if both a folder and
/// a fraction say what is for validation or testing; for folders inside a class, links whose target is missing, files that are no images or damaged, class names that are no text
/// (all of these at once, a line each), and for more pixels than memory. Images that the selection does not take are not opened: it chooses from the order above, and
/// `channels` follow from those that it takes.
Dataset load_image_folder(const std::vector<std::filesystem::path>& folders, const ImageFolderOptions& options,
                          const Selection& selection = {});
inline Dataset load_image_folder(const std::filesystem::path& folder, const ImageFolderOptions& options,
                                 const Selection& selection = {}) {
  return load_image_folder(std::vector{folder}, options, selection);
}

}  // namespace minception
