#pragma once
/// Internal interface of the image decoders. Each takes the bytes of a whole file, and its name for messages.

#include "core/error.h"
#include "data/image_file.h"

#include <csetjmp>
#include <cstdint>
#include <span>
#include <string>

namespace minception {

/// How a file is decoded.
struct Decoding {
  ImageOptions options;
  std::int64_t height = 0, width = 0;  ///< target size of a later resize; 0: decode in full size
  bool shape_only = false;             ///< pixels may be omitted
};

/// Detects the format from the first bytes.
DecodedImage decode_image(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how = {});
DecodedImage decode_bmp(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_gif(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_jpeg(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_png(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_pnm(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_tiff(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_webp(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);

/// Largest of 1, 2, 4 and 8 by which an image of this size may be reduced before it is resized according to `how`.
int reduction_for(std::int64_t height, std::int64_t width, const Decoding& how);

/// Blends pixels over the background. `pixels` have the channels of `shape` and alpha. Grey becomes RGB if the
/// background is coloured.
DecodedImage over_background(const std::string& name, const Shape& shape, std::span<const std::uint8_t> pixels,
                             const ImageOptions& options);
/// Background for an image of `channels` channels, one byte each; converted to grey as by with_channels.
std::array<std::uint8_t, 3> background_of(const ImageOptions& options, std::int64_t channels);
inline bool has_coloured_background(const ImageOptions& options) {
  const auto& b = options.background;
  return b[0] != b[1] || b[1] != b[2];
}

/// Orientation 1 to 8 from Exif data (a TIFF structure); 1 (upright) if they contain none.
int exif_orientation(std::span<const std::uint8_t> exif);
/// Rotates and mirrors the image according to the Exif orientation, so that it is upright.
DecodedImage upright(DecodedImage image, int orientation);

inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;
inline constexpr const char* kImageRemedy = "; copy or download it again";

inline void check_extents(const std::string& name, std::int64_t height, std::int64_t width) {
  require(height >= 1 && width >= 1, name, ": the image is ", width, 'x', height, ": it has no pixels");
  require(width <= kMostPixels / height, name, ": the image is ", width, 'x', height, ", more than the limit of ",
          kMostPixels, " pixels; shrink it");
}

/// Allocates an image, after check_extents.
inline DecodedImage blank_image(const std::string& name, std::int64_t channels, std::int64_t height,
                                std::int64_t width) {
  check_extents(name, height, width);
  DecodedImage image;
  image.shape = Shape{channels, height, width};
  image.pixels.resize(static_cast<std::size_t>(image.shape.elements()));
  return image;
}

/// Our error handlers for libpng and libjpeg leave a failed call by longjmp. Jumping over a C++ object with a
/// destructor is undefined, so each decoding stage is one guarded call of a lambda without such objects.
struct LibraryError {
  std::jmp_buf place;
  char text[256] = "";  ///< the library's message; "" without error
};

/// Calls `stage`. Returns false if the library jumped; `error.text` has the reason.
template <class Stage>
[[gnu::noinline]] bool guarded(LibraryError& error, const Stage& stage) {
  if (setjmp(error.place) != 0) return false;
  stage();
  return true;
}

}  // namespace minception
