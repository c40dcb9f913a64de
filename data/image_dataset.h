#pragma once
/// Labelled images as they lie in memory before any preprocessing: bytes, all of one size.

#include <minception/core/shape.h>
#include <minception/data/pixel_cache.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace minception {

struct ImageDataset {
  Shape image;                       ///< (C, H, W) of every image
  std::vector<std::uint8_t> pixels;  ///< (N, H, W, C): channels-last, as in tensors
  std::vector<std::int32_t> labels;  ///< N indices into `class_names`
  std::vector<std::string> class_names;
  std::vector<std::string> files = {};  ///< N paths; empty where the images are not files of their own
  /// Pixels in a cache file (ImageFolderOptions::cache), in place of `pixels`.
  CachedPixels cached = {};

  std::span<const std::uint8_t> all_pixels() const { return cached.file == nullptr ? pixels : cached.pixels; }

  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
};

/// CRC-32 of shape, labels and pixels: tells whether a resumed training sees the samples that it saw before.
std::uint32_t checksum(const ImageDataset& dataset);

/// A data set with its parts. Validation images choose between epochs and settings; test images are for the final answer.
struct Dataset {
  std::string name;
  ImageDataset train;
  ImageDataset test;             ///< empty for a folder that has none
  ImageDataset validation = {};  ///< taken from the training images; empty unless asked for
};

}  // namespace minception
