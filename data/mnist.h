#pragma once
/// MNIST (LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition"): 60,000 +
/// 10,000 grey images of 28x28, handwritten digits.

#include <minception/data/image_dataset.h>
#include <minception/data/subset.h>

#include <filesystem>

namespace minception {

/// Reads the four IDX files, each with or without ".gz", from `dir`; the names may have a dot before "idx"
/// ("train-images.idx3-ubyte"), as some mirrors write them. Throws Error like load_fashion_mnist.
Dataset load_mnist(const std::filesystem::path& dir, const Selection& selection = {});

}  // namespace minception
