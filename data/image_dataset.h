#pragma once
/// Labelled images before preprocessing: bytes, all of the same size.

#include "core/shape.h"
#include "data/image_file.h"
#include "data/pixel_cache.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace minception {

struct ImageDataset {
  Shape image;                       ///< (C, H, W) of every image
  std::vector<std::uint8_t> pixels;  ///< (N, H, W, C), channels-last as in tensors
  std::vector<std::int32_t> labels;  ///< N indices into `class_names`
  std::vector<std::string> class_names;
  std::vector<std::string> files = {};  ///< N paths; empty if the images are not separate files
  /// Pixels in a cache file (ImageFolderOptions::cache) instead of `pixels`.
  CachedPixels cached = {};

  std::span<const std::uint8_t> all_pixels() const { return cached.file == nullptr ? pixels : cached.pixels; }

  /// The pixels of one image, (H, W, C).
  std::span<const std::uint8_t> pixels_of(std::int64_t index) const {
    const auto bytes = static_cast<std::size_t>(image.elements());
    return all_pixels().subspan(static_cast<std::size_t>(index) * bytes, bytes);
  }

  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
};

/// CRC-32 of shape, labels and pixels. A resumed training compares it to detect changed samples.
std::uint32_t checksum(const ImageDataset& dataset);

/// A data set and its parts. Validation images select epochs and settings; test images give the final result.
struct Dataset {
  std::string name;  ///< for people
  ImageDataset train;
  ImageDataset test;             ///< empty for a folder without test images
  ImageDataset validation = {};  ///< empty unless requested or in a folder of its own
  /// What load_dataset was asked for, kept with a run so that it can be resumed: its `name` and `dir`, and as JSON text
  /// the options of the tool `train` that load the same images.
  std::string source = {}, folder = {}, options = {};
  ImageOptions image_options = {};  ///< how image files were converted

  std::int64_t classes() const { return static_cast<std::int64_t>(train.class_names.size()); }
  const Shape& image() const { return train.image; }  ///< (C, H, W)
};

}  // namespace minception
