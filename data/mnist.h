#pragma once
/// MNIST (LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition"): 60,000 +
/// 10,000 grey images of 28x28, handwritten digits.

#include "data/image_dataset.h"
#include "data/subset.h"

#include <filesystem>

namespace minception {

/// Reads the four IDX files, each with or without ".gz", from `dir`. The names may have a dot before "idx", as on some
/// mirrors ("train-images.idx3-ubyte"). Throws Error like load_fashion_mnist.
Dataset load_mnist(const std::filesystem::path& dir, const Selection& selection = {});

}  // namespace minception
