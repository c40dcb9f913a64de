#pragma once
/// CIFAR-10 (Krizhevsky 2009, "Learning multiple layers of features from tiny images"): 50,000 + 10,000 colour images
/// of 32x32 in ten classes, in the binary version of https://www.cs.toronto.edu/~kriz/cifar.html:
///
///   data_batch_1.bin to data_batch_5.bin, test_batch.bin   records of a label byte and 3072 pixel bytes (red, green,
///                                                          blue plane)
///   batches.meta.txt                                       class names, one per line

#include "data/image_dataset.h"
#include "data/subset.h"

#include <filesystem>

namespace minception {

/// Reads CIFAR-10 from `path`: the archive (cifar-10-binary.tar.gz, under any name), the unpacked folder, or a folder
/// that contains either of them. Throws Error, with the file name, for a file that is missing, duplicated in the
/// archive, damaged or truncated, for labels outside the classes, for batches of different lengths (all published
/// batches have the same number of images), and for the Python version. Labels and pixels after the last image that the
/// selection takes are not checked.
Dataset load_cifar10(const std::filesystem::path& path, const Selection& selection = {});

}  // namespace minception
