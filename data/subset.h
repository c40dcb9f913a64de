#pragma once
/// Parts of data sets.

#include <minception/data/image_dataset.h>

#include <cstdint>
#include <span>

namespace minception {

/// Takes `count` of the training images away, evenly spaced, and puts them in the place of the test images: settings are
/// chosen by these, so that the test images have no part in the choice. Image i of n goes if floor((i + 1) count / n) >
/// floor(i count / n), which takes as large a part of each class where images are sorted by class. Throws Error unless
/// 1 <= count < n.
void hold_out(Dataset& dataset, std::int64_t count);

/// The images of these classes alone, in their order; `classes[k]` has the label k. Throws Error for a class that is not
/// there, or is named twice, and if none is named.
ImageDataset keep_classes(const ImageDataset& dataset, std::span<const std::int32_t> classes);

/// The first `count` images of each class, in their order. Throws Error if a class has fewer, and unless 1 <= count.
ImageDataset keep_per_class(const ImageDataset& dataset, std::int64_t count);

}  // namespace minception
