#pragma once
/// Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine
/// learning algorithms"): 60,000 + 10,000 grey images of 28x28 in ten classes.

#include "data/image_dataset.h"
#include "data/subset.h"

#include <filesystem>

namespace minception {

/// Reads the four IDX files, each with or without ".gz", from `dir`. Throws Error for a missing file, for different
/// numbers of images and labels, and for labels outside the ten classes.
Dataset load_fashion_mnist(const std::filesystem::path& dir, const Selection& selection = {});

}  // namespace minception
