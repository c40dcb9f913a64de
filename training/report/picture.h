#pragma once
/// Pictures of maps: heat maps over an image, activations and filters as tiles.

#include "core/safetensors.h"
#include "data/image_file.h"
#include "models/explanation.h"

#include <cstdint>
#include <span>
#include <string>

namespace minception::report {

/// The image with a heat map over it, at least `side` pixels along its longer side. Values up to 0 leave it dark, `largest`
/// is brightest.
DecodedImage heat_map(const DecodedImage& image, std::span<const float> map, std::int64_t height, std::int64_t width,
                      float largest, std::int64_t side = 256);

/// The heat alone, a pixel per position, for a page that lays it over an image.
DecodedImage heat(std::span<const float> map, std::int64_t height, std::int64_t width, float largest);

/// The image, enlarged by a whole factor to about `side` pixels if it is smaller.
DecodedImage enlarged(const DecodedImage& image, std::int64_t side = 256);

/// The maps with the largest standard deviations, at most `most`, as tiles with a shade from their lowest to their highest
/// value. `columns`: of tiles; 0: as many as a page is wide.
DecodedImage tiles(const Maps& maps, std::int64_t most, std::int64_t columns = 0);

/// Filters (K, C, R, S) of a convolution as tiles, at most `most`: in colour for three channels, else the mean over the
/// channels. The largest absolute value of a filter sets its scale; grey is 0.
DecodedImage filters(const FileTensor& weights, std::int64_t most = INT64_MAX, std::int64_t columns = 0);

/// A PNG file as a data URL.
std::string data_url(const DecodedImage& image);

}  // namespace minception::report
