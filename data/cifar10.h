#pragma once
/// CIFAR-10 (Krizhevsky 2009, "Learning multiple layers of features from tiny images"): 50,000 + 10,000 colour images of
/// 32x32 in ten classes, from either form in which its author publishes it (https://www.cs.toronto.edu/~kriz/cifar.html):
///
///   binary   data_batch_1.bin to data_batch_5.bin, test_batch.bin: records of a label byte and 3072 bytes, the red
///            plane, the green one, the blue one; batches.meta.txt: the class names, a line each
///   python   data_batch_1 to data_batch_5, test_batch: pickled dictionaries (data/pickle.h) with 'data', an array of
///            (N, 3072) bytes, and 'labels'; batches.meta: one with 'label_names'

#include <minception/data/image_dataset.h>
#include <minception/data/subset.h>

#include <filesystem>

namespace minception {

/// Reads CIFAR-10 from `path`: the archive (cifar-10-binary.tar.gz or cifar-10-python.tar.gz, under any name), the
/// unpacked folder, or a folder that holds either of them. Throws Error, with the name of the file, for a part that is
/// missing, twice in an archive, damaged or cut short, for labels outside of the classes, and for batches of different
/// lengths: they are published with the same number of images each. Labels and pixels behind those that the selection
/// takes are not looked at.
Dataset load_cifar10(const std::filesystem::path& path, const Selection& selection = {});

}  // namespace minception
