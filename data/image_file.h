#pragma once
/// Image files: PNG (libpng), JPEG (libjpeg), WebP (libwebp), TIFF (libtiff), GIF (giflib), BMP, PGM and PPM, decoded
/// to grey or RGB bytes.

#include "core/shape.h"

#include <array>
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

/// How an image is resized to another aspect ratio.
enum class Resize : std::uint8_t {
  stretch,    ///< the whole image, each axis scaled independently
  crop,       ///< the largest centred crop of the target's aspect ratio
  letterbox,  ///< the whole image in its own aspect ratio, centred, with borders in the background colour
};

inline constexpr const char* kResizeNames[] = {"stretch", "crop", "letterbox"};
inline const char* to_string(Resize resize) { return kResizeNames[static_cast<int>(resize)]; }
/// Throws Error, with the valid names, for an unknown name.
Resize parse_resize(const std::string& name);

/// How image files are converted to images of a data set. Weights files store it, so that prediction uses the same
/// conversion.
struct ImageOptions {
  Resize resize = Resize::stretch;
  bool exif_orientation = true;                        ///< apply the orientation tag (JPEG, PNG, WebP, TIFF)
  std::array<std::uint8_t, 3> background = {0, 0, 0};  ///< RGB, for transparent pixels and borders

  bool operator==(const ImageOptions&) const = default;
};

/// Reads an image in full size. The format is detected from the first bytes, not from the name. PNG: every colour type
/// and bit depth, 16 bits rounded to 8. JPEG: baseline and progressive, grey, YCbCr, RGB and (Adobe's) CMYK. WebP:
/// lossy and lossless. GIF, WebP, TIFF: the first image. TIFF: what libtiff converts to RGBA. BMP: uncompressed. PGM
/// and PPM: P2, P3, P5 and P6, any maximum. Throws Error with the file name for a file that is missing, truncated,
/// damaged, of an unknown format or larger than 2^28 pixels, and (naming the package) for a format that this build does
/// not support.
DecodedImage read_image(const std::filesystem::path& path, const ImageOptions& options = {});

/// (C, H, W) of an image as stored, before orientation. JPEG and PNG: decodes only the header. Throws Error like
/// read_image.
Shape stored_shape(const std::filesystem::path& path);

/// Reads an image with `channels` channels (1 or 3; 0: as in the file) in size (height, width): read_image, fitted_to,
/// with_channels. To save time, libjpeg decodes a JPEG that is at least four times as large at 1/2, 1/4 or 1/8 of its
/// size, never below twice the target size. This changes pixels slightly.
DecodedImage load_image(const std::filesystem::path& path, std::int64_t channels, std::int64_t height,
                        std::int64_t width, const ImageOptions& options = {});

/// The same from the bytes of a file. Messages begin with `name`.
DecodedImage load_image(std::span<const std::uint8_t> file, const std::string& name, std::int64_t channels,
                        std::int64_t height, std::int64_t width, const ImageOptions& options = {});

/// Resizes the image to (height, width) by resized_to, with `options.resize` if the aspect ratio differs.
DecodedImage fitted_to(DecodedImage image, std::int64_t height, std::int64_t width, const ImageOptions& options);

/// The text with its ASCII letters in lower case.
std::string lower_case(std::string text);

/// True if the file name has a suffix of the formats above, in upper or lower case.
bool has_image_suffix(const std::filesystem::path& path);

/// Converts the image to 1 or 3 channels: RGB to grey by ITU-R BT.601 weights (as PIL's "L"), grey to RGB by
/// repetition.
DecodedImage with_channels(DecodedImage image, std::int64_t channels);

/// Resizes the image to (height, width), ignoring the aspect ratio; bit-identical to PIL's "bilinear". Shrinking uses a
/// triangle filter whose width scales with the reduction (antialiasing), growing interpolates between neighbours. The
/// axes are resized separately, width first, and rounded to bytes after each.
DecodedImage resized_to(DecodedImage image, std::int64_t height, std::int64_t width);

/// Encodes a PNG file. Throws Error in a build without libpng; see has_png().
std::vector<std::uint8_t> encode_png(const Shape& shape, std::span<const std::uint8_t> pixels);
bool has_png();
bool has_jpeg();
bool has_webp();
bool has_tiff();
bool has_gif();

}  // namespace minception
