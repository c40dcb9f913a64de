#pragma once
/// Images in files: PNG (libpng), JPEG (libjpeg), PGM and PPM. Decoded to bytes, grey or RGB.

#include <minception/core/shape.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace minception {

struct DecodedImage {
  Shape shape;                       ///< (C, H, W), C 1 or 3
  std::vector<std::uint8_t> pixels;  ///< (H, W, C)
};

/// Reads an image, whatever its name says: the format is told from its first bytes. PNG: every colour type and bit
/// depth, 16 bits rounded to 8, transparency laid over black. JPEG: baseline and progressive, grey, YCbCr, RGB and
/// (Adobe's) CMYK. PGM and PPM: P2, P3, P5 and P6, any maximum. A JPEG or PNG whose Exif data say how
/// the camera was held comes upright. Throws Error with the file name for a file that is missing, truncated or damaged, of
/// another format, larger than 2^28 pixels, or of a format that this build leaves out (with the package that it needs).
DecodedImage read_image(const std::filesystem::path& path);

/// Whether the name of the file ends as those of the formats above do, in any case of letters.
bool has_image_suffix(const std::filesystem::path& path);

/// The image with `channels` channels, 1 or 3: RGB to grey by ITU-R BT.601 weights (as PIL's "L"), grey to RGB by
/// repetition.
DecodedImage with_channels(DecodedImage image, std::int64_t channels);

/// The image in the size (height, width), stretched if its sides are in another proportion: PIL's "bilinear", to the bit.
/// Where an extent shrinks that is a triangle filter as wide as the shrinking, so that nothing is skipped; where it grows,
/// interpolation between neighbours. Each axis for itself, the width first, rounded to bytes after each.
DecodedImage resized_to(DecodedImage image, std::int64_t height, std::int64_t width);

/// The bytes of a PNG file. Throws Error in a build without libpng; `has_png()` says so beforehand.
std::vector<std::uint8_t> encode_png(const Shape& shape, std::span<const std::uint8_t> pixels);
bool has_png();
bool has_jpeg();

}  // namespace minception
