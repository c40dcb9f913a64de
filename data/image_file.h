#pragma once
/// Images in files: PNG (libpng), JPEG (libjpeg), WebP (libwebp), TIFF (libtiff), GIF (giflib), BMP, PGM and PPM. Decoded to
/// bytes, grey or RGB.

#include <minception/core/shape.h>

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

/// How an image is brought to a size of other proportions.
enum class Resize : std::uint8_t {
  stretch,    ///< the whole image, each side by itself
  crop,       ///< the middle of the image, as large as the proportions allow
  letterbox,  ///< the whole image in its own proportions, centred, with borders in the colour of the background
};

inline constexpr const char* kResizeNames[] = {"stretch", "crop", "letterbox"};
inline const char* to_string(Resize resize) { return kResizeNames[static_cast<int>(resize)]; }
/// Throws Error, with the names there are, for an unknown one.
Resize parse_resize(const std::string& name);

/// How image files become the images of a data set. Weights files keep it, so that other images are read likewise.
struct ImageOptions {
  Resize resize = Resize::stretch;
  bool exif_orientation = true;  ///< turn images upright that say how the camera was held (JPEG, PNG, WebP, TIFF)
  std::array<std::uint8_t, 3> background = {0, 0, 0};  ///< RGB, behind transparent pixels and in borders

  bool operator==(const ImageOptions&) const = default;
};

/// Reads an image in its full size, whatever its name says: the format is told from its first bytes. PNG: every colour type
/// and bit depth, 16 bits rounded to 8. JPEG: baseline and progressive, grey, YCbCr, RGB and (Adobe's) CMYK. WebP: lossy and
/// lossless. GIF, WebP, TIFF: the first image. TIFF: what libtiff converts to RGBA. BMP: without compression. PGM and PPM: P2,
/// P3, P5 and P6, any maximum. Throws Error with the file name for a file that is missing, truncated or damaged, of another
/// format, larger than 2^28 pixels, or of a format that this build leaves out (with the package that it needs).
DecodedImage read_image(const std::filesystem::path& path, const ImageOptions& options = {});

/// (C, H, W) of an image as it is stored. Of a JPEG or PNG only the header is decoded. Throws Error like read_image.
Shape stored_shape(const std::filesystem::path& path);

/// Reads an image of `channels` channels (1 or 3; 0: as in the file) and of the size (height, width): read_image,
/// fitted_to, with_channels. A JPEG that is at least four times as large is decoded by libjpeg at a half, a quarter or an
/// eighth of its size, never below twice the size that the resizing needs. That changes pixels by little and takes a
/// fraction of the time.
DecodedImage load_image(const std::filesystem::path& path, std::int64_t channels, std::int64_t height,
                        std::int64_t width, const ImageOptions& options = {});

/// The image in the size (height, width), by resized_to and as `options` say where the proportions differ.
DecodedImage fitted_to(DecodedImage image, std::int64_t height, std::int64_t width, const ImageOptions& options);

/// The text with its ASCII letters in lower case.
std::string lower_case(std::string text);

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
bool has_webp();
bool has_tiff();
bool has_gif();

}  // namespace minception
