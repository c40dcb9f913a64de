/// TIFF by libtiff's conversion to RGBA; the first page only.

#include "data/image_formats.h"

#ifdef MINCEPTION_HAVE_TIFF

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

namespace minception {
namespace {

/// A file in memory, and libtiff's first error message.
struct Input {
  std::span<const std::uint8_t> file;
  std::size_t place = 0;
  char error[200] = "";
};

void make_one_line(char* text) {
  for (; *text != '\0'; ++text) {
    if (static_cast<unsigned char>(*text) < 0x20) *text = ' ';
  }
}

tmsize_t read_bytes(thandle_t handle, void* destination, tmsize_t count) {
  auto* input = static_cast<Input*>(handle);
  const std::size_t left = input->file.size() - std::min(input->place, input->file.size());
  const std::size_t got = std::min(static_cast<std::size_t>(count), left);
  std::memcpy(destination, input->file.data() + input->place, got);
  input->place += got;
  return static_cast<tmsize_t>(got);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto* input = static_cast<Input*>(handle);
  const toff_t from = whence == SEEK_CUR ? input->place : whence == SEEK_END ? input->file.size() : 0;
  input->place = static_cast<std::size_t>(from + offset);
  return input->place;
}

int close_nothing(thandle_t) { return 0; }

toff_t size_of(thandle_t handle) { return static_cast<Input*>(handle)->file.size(); }

void take_error(thandle_t handle, const char*, const char* format, va_list arguments) {
  auto* input = static_cast<Input*>(handle);
  if (input == nullptr || input->error[0] != '\0') return;
  std::vsnprintf(input->error, sizeof input->error, format, arguments);
  make_one_line(input->error);
}

TIFF* open(Input& input) {
  // Handlers are global to the process.
  static std::once_flag once;
  std::call_once(once, [] {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
    TIFFSetErrorHandlerExt(take_error);
  });
  // m: disables memory mapping, which this input does not support
  return TIFFClientOpen("image", "rm", &input, read_bytes, write_nothing, seek, close_nothing, size_of, nullptr,
                        nullptr);
}

template <class T>
T field(TIFF* tiff, ttag_t tag, T absent) {
  T value = absent;
  return TIFFGetFieldDefaulted(tiff, tag, &value) == 1 ? value : absent;
}

}  // namespace

bool has_tiff() { return true; }

DecodedImage decode_tiff(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how) {
  Input input{.file = file};
  const std::unique_ptr<TIFF, decltype(&TIFFClose)> tiff(open(input), TIFFClose);
  require(tiff != nullptr, name, ": the TIFF data are damaged (", input.error, ")", kImageRemedy);
  const std::int64_t width = field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGEWIDTH, 0);
  const std::int64_t height = field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGELENGTH, 0);
  check_extents(name, height, width);
  // Deflate, TIFF's best lossless compression, compresses at most 1032 to 1; the smallest pixel has one bit.
  require(width * height / 8 / 1032 <= static_cast<std::int64_t>(file.size()), name, ": ", file.size(),
          " bytes cannot hold an image of ", width, 'x', height, ": the file is truncated", kImageRemedy);
  char problem[1024] = "";
  const bool supported = TIFFRGBAImageOK(tiff.get(), problem) == 1;
  make_one_line(problem);
  require(supported, name, ": this kind of TIFF is not supported (", problem, "); convert it to PNG");
  const auto orientation = field<std::uint16_t>(tiff.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  const auto photometric = field<std::uint16_t>(tiff.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
  const bool grey = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
  std::vector<std::uint32_t> raster(static_cast<std::size_t>(width * height));
  // Rows in stored order. The last argument makes damaged data an error.
  const int read = TIFFReadRGBAImageOriented(tiff.get(), static_cast<std::uint32_t>(width),
                                             static_cast<std::uint32_t>(height), raster.data(), orientation, 1);
  require(read == 1 && input.error[0] == '\0', name, ": the TIFF data are damaged (", input.error, ")", kImageRemedy);

  const std::int64_t channels = grey && !has_coloured_background(how.options) ? 1 : 3;
  DecodedImage image = blank_image(name, channels, height, width);
  const std::array<std::uint8_t, 3> background = background_of(how.options, channels);
  for (std::size_t i = 0; i < raster.size(); ++i) {
    const std::uint32_t pixel = raster[i];
    const std::uint32_t parts[] = {TIFFGetR(pixel), TIFFGetG(pixel), TIFFGetB(pixel)};  // premultiplied by alpha
    const std::uint32_t uncovered = 255 - TIFFGetA(pixel);
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::uint32_t behind = uncovered * background[static_cast<std::size_t>(c)];
      image.pixels[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)] =
          static_cast<std::uint8_t>(std::min(parts[c] + (behind + 127) / 255, 255u));
    }
  }
  return upright(std::move(image), how.options.exif_orientation ? orientation : 1);
}

}  // namespace minception

#else

namespace minception {

bool has_tiff() { return false; }

DecodedImage decode_tiff(std::span<const std::uint8_t>, const std::string& name, const Decoding&) {
  fail(name, ": this build cannot read TIFF; install libtiff (Debian: libtiff-dev), run cmake and build again");
}

}  // namespace minception

#endif
