#pragma once
/// What MNIST and the data sets made in its image share: four IDX files, ten classes, one byte per pixel.

#include <minception/data/image_dataset.h>
#include <minception/data/subset.h>

#include <array>
#include <filesystem>

namespace minception {

/// How the members of the family differ.
struct MnistFamily {
  const char* name;
  std::array<const char*, 10> class_names;
  const char* how_to_get;  ///< the end of a message about missing files: what to do, with the published address
};

/// Reads what a selection takes of the four IDX files from `dir`, each with or without ".gz", as "train-images-idx3-ubyte" or with a dot
/// before "idx". Throws Error for a missing folder or file, counts of images and labels that differ, labels outside
/// of the ten classes, and images whose size differs between the parts.
Dataset load_mnist_family(const MnistFamily& family, const std::filesystem::path& dir, const Selection& selection = {});

}  // namespace minception
