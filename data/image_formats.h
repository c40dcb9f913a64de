#pragma once
/// What the decoders of image files share. Each takes the bytes of a whole file and its name for messages.

#include <minception/core/error.h>
#include <minception/data/image_file.h>

#include <csetjmp>
#include <cstdint>
#include <span>
#include <string>

namespace minception {

/// How a file is decoded.
struct Decoding {
  ImageOptions options;
  std::int64_t height = 0, width = 0;  ///< size that the image is resized to; 0: full size is needed
  bool shape_only = false;             ///< pixels may be left out
};

/// Tells the format from the first bytes.
DecodedImage decode_image(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how = {});
DecodedImage decode_bmp(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_gif(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_jpeg(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_png(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_pnm(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_tiff(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);
DecodedImage decode_webp(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);

/// Largest of 1, 2, 4 and 8 by which an image of this size may be reduced before it is resized as `how` says.
int reduction_for(std::int64_t height, std::int64_t width, const Decoding& how);

/// An image of `shape` over the background, from pixels that have one more channel, their opacity. Grey becomes RGB where
/// the background is coloured.
DecodedImage over_background(const std::string& name, const Shape& shape, std::span<const std::uint8_t> pixels,
                             const ImageOptions& options);
/// The background for an image of `channels` channels, a byte for each; grey by the weights of with_channels.
std::array<std::uint8_t, 3> background_of(const ImageOptions& options, std::int64_t channels);
inline bool has_coloured_background(const ImageOptions& options) {
  const auto& b = options.background;
  return b[0] != b[1] || b[1] != b[2];
}

/// The orientation, 1 to 8, that Exif data (a TIFF structure) give an image; 1, upright, where they give none.
int exif_orientation(std::span<const std::uint8_t> exif);
/// The image turned and mirrored so that what the orientation calls its first row is at the top.
DecodedImage upright(DecodedImage image, int orientation);

inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;
inline constexpr const char* kImageRemedy = "; copy or download it again";

inline void check_extents(const std::string& name, std::int64_t height, std::int64_t width) {
  require(height >= 1 && width >= 1, name, ": the image is ", width, 'x', height, ": there are no pixels in it");
  require(width <= kMostPixels / height, name, ": the image is ", width, 'x', height, ", more than the ", kMostPixels,
          " pixels that are read; shrink it");
}

/// An image of that size with its memory, which is allocated only after the extents were found possible.
inline DecodedImage blank_image(const std::string& name, std::int64_t channels, std::int64_t height,
                                std::int64_t width) {
  check_extents(name, height, width);
  DecodedImage image;
  image.shape = Shape{channels, height, width};
  image.pixels.resize(static_cast<std::size_t>(image.shape.elements()));
  return image;
}

/// libpng and libjpeg leave a failed call by longjmp, from within our error handler. A jump over a C++ object with a
/// destructor is undefined, so each stage of decoding is one guarded call: a lambda that owns nothing.
struct LibraryError {
  std::jmp_buf place;
  char text[256] = "";  ///< what the library said, "" as long as nothing went wrong
};

/// Calls `stage` and returns whether it came back. Otherwise the library jumped, and `error.text` says why.
template <class Stage>
[[gnu::noinline]] bool guarded(LibraryError& error, const Stage& stage) {
  if (setjmp(error.place) != 0) return false;
  stage();
  return true;
}

}  // namespace minception
