#pragma once
/// CIFAR-10 (Krizhevsky 2009, "Learning multiple layers of features from tiny images"): 50,000 + 10,000 colour images
/// of 32x32 in ten classes, in both published formats (https://www.cs.toronto.edu/~kriz/cifar.html):
///
///   binary   data_batch_1.bin to data_batch_5.bin, test_batch.bin: records of a label byte and 3072 pixel
///            bytes (red, green, blue plane); batches.meta.txt: class names, one per line
///   python   data_batch_1 to data_batch_5, test_batch: pickled dictionaries (data/pickle.h) with 'data', a byte
///            array of shape (N, 3072), and 'labels'; batches.meta: a dictionary with 'label_names'

#include "data/image_dataset.h"
#include "data/subset.h"

#include <filesystem>

namespace minception {

/// Reads CIFAR-10 from `path`: the archive (cifar-10-binary.tar.gz or cifar-10-python.tar.gz, under any name), the
/// unpacked folder, or a folder that contains either of them. Throws Error, with the file name, for a file that is
/// missing, duplicated in the archive, damaged or truncated, for labels outside the classes, and for batches of
/// different lengths (all published batches have the same number of images). Labels and pixels after the last image
/// that the selection takes are not checked.
Dataset load_cifar10(const std::filesystem::path& path, const Selection& selection = {});

}  // namespace minception
