#pragma once
/// What the decoders of image files share. Each takes the bytes of a whole file and its name for messages.

#include <minception/core/error.h>
#include <minception/data/image_file.h>

#include <csetjmp>
#include <cstdint>
#include <span>
#include <string>

namespace minception {

/// Tells the format from the first bytes.
DecodedImage decode_image(std::span<const std::uint8_t> file, const std::string& name);
DecodedImage decode_png(std::span<const std::uint8_t> file, const std::string& name);
DecodedImage decode_jpeg(std::span<const std::uint8_t> file, const std::string& name);
DecodedImage decode_pnm(std::span<const std::uint8_t> file, const std::string& name);

/// The orientation, 1 to 8, that Exif data (a TIFF structure) give an image; 1, upright, where they give none.
int exif_orientation(std::span<const std::uint8_t> exif);
/// The image turned and mirrored so that what the orientation calls its first row is at the top.
DecodedImage upright(DecodedImage image, int orientation);

inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;
inline constexpr const char* kImageRemedy = "; copy or download it again";

/// An image of that size with its memory, which is asked for only after the extents were found possible.
inline DecodedImage blank_image(const std::string& name, std::int64_t channels, std::int64_t height,
                                std::int64_t width) {
  require(height >= 1 && width >= 1, name, ": the image is ", width, 'x', height, ": there are no pixels in it");
  require(width <= kMostPixels / height, name, ": the image is ", width, 'x', height, ", more than the ", kMostPixels,
          " pixels that are read; shrink it");
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
