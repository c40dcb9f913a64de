#pragma once
/// Loader for MNIST and data sets of the same format: four IDX files, ten classes, one byte per pixel.

#include "data/image_dataset.h"
#include "data/subset.h"

#include <array>
#include <filesystem>

namespace minception {

/// Properties of one data set of the family.
struct MnistFamily {
  const char* name;
  std::array<const char*, 10> class_names;
  const char* how_to_get;  ///< how to get the files, for the error message about missing ones
};

/// Reads the selected samples of the four IDX files in `dir`, each with or without ".gz", named
/// "train-images-idx3-ubyte" or with a dot before "idx". Throws Error for a missing folder or file, different numbers
/// of images and labels, labels outside the ten classes, and image sizes that differ between the parts.
Dataset load_mnist_family(const MnistFamily& family, const std::filesystem::path& dir, const Selection& selection = {});

}  // namespace minception
