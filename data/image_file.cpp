#include "data/image_formats.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace minception {
namespace {

using Decoder = DecodedImage (*)(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how);

struct Format {
  std::string_view magic;
  Decoder decode;
};

constexpr Format kFormats[] = {{{"\x89PNG\r\n\x1a\n", 8}, decode_png},
                               {{"\xff\xd8\xff", 3}, decode_jpeg},
                               {{"RIFF????WEBP", 12}, decode_webp},
                               {{"GIF87a", 6}, decode_gif},
                               {{"GIF89a", 6}, decode_gif},
                               {{"II*\0", 4}, decode_tiff},
                               {{"MM\0*", 4}, decode_tiff},
                               {{"BM", 2}, decode_bmp},
                               {{"P2", 2}, decode_pnm},
                               {{"P3", 2}, decode_pnm},
                               {{"P5", 2}, decode_pnm},
                               {{"P6", 2}, decode_pnm}};

constexpr std::size_t kLongestMagic = 12;

Decoder decoder_for(std::span<const std::uint8_t> file, const std::string& name) {
  require(!file.empty(), name, ": the file is empty", kImageRemedy);
  for (const Format& format : kFormats) {
    const auto matches = [](char expected, std::uint8_t byte) {
      return expected == '?' || static_cast<std::uint8_t>(expected) == byte;
    };
    if (file.size() >= format.magic.size() &&
        std::equal(format.magic.begin(), format.magic.end(), file.begin(), matches)) {
      return format.decode;
    }
  }
  fail(name,
       ": not an image of a known format (PNG, JPEG, WebP, TIFF, GIF, BMP, PGM, PPM); convert it, or move it out of "
       "the folder");
}

class File {
 public:
  explicit File(const std::string& name) : name_(name) {
    errno = 0;
    file_.reset(std::fopen(name.c_str(), "rb"));
    require(file_ != nullptr, name_, ": cannot be opened: ", system_message());
  }

  /// Appends up to `count` bytes and returns the number read.
  std::size_t append_to(std::vector<std::uint8_t>& bytes, std::size_t count) {
    const std::size_t before = bytes.size();
    bytes.resize(before + count);
    errno = 0;
    const std::size_t got = std::fread(bytes.data() + before, 1, count, file_.get());
    require(std::ferror(file_.get()) == 0, name_, ": cannot be read: ", system_message());
    bytes.resize(before + got);
    return got;
  }

 private:
  const std::string& name_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
};

}  // namespace

std::string lower_case(std::string text) {
  for (char& letter : text) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  return text;
}

bool has_image_suffix(const std::filesystem::path& path) {
  const std::string suffix = lower_case(path.extension().string());
  constexpr std::string_view kSuffixes[] = {".png",  ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif",
                                            ".tiff", ".gif", ".bmp",  ".pgm", ".ppm",  ".pnm"};
  return std::find(std::begin(kSuffixes), std::end(kSuffixes), suffix) != std::end(kSuffixes);
}

DecodedImage decode_image(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how) {
  return decoder_for(file, name)(file, name, how);
}

namespace {

DecodedImage read(const std::filesystem::path& path, const Decoding& how) {
  const std::string name = path.string();
  File file(name);
  std::vector<std::uint8_t> bytes;
  file.append_to(bytes, kLongestMagic);
  (void)decoder_for(bytes, name);  // rejects a file of unknown format before reading all of it
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  while (file.append_to(bytes, kPiece) == kPiece) {
  }
  return decode_image(bytes, name, how);
}

DecodedImage fitted(DecodedImage image, std::int64_t channels, std::int64_t height, std::int64_t width,
                    const ImageOptions& options) {
  // RGB becomes grey before resizing and grey becomes RGB after it: fewer channels resize faster.
  if (channels != 0 && image.shape[0] > channels) image = with_channels(std::move(image), channels);
  image = fitted_to(std::move(image), height, width, options);
  return channels == 0 ? image : with_channels(std::move(image), channels);
}

}  // namespace

DecodedImage read_image(const std::filesystem::path& path, const ImageOptions& options) {
  return read(path, {.options = options});
}

Shape stored_shape(const std::filesystem::path& path) {
  return read(path, {.options = {.exif_orientation = false}, .shape_only = true}).shape;
}

DecodedImage load_image(const std::filesystem::path& path, std::int64_t channels, std::int64_t height,
                        std::int64_t width, const ImageOptions& options) {
  return fitted(read(path, {.options = options, .height = height, .width = width}), channels, height, width, options);
}

DecodedImage load_image(std::span<const std::uint8_t> file, const std::string& name, std::int64_t channels,
                        std::int64_t height, std::int64_t width, const ImageOptions& options) {
  return fitted(decode_image(file, name, {.options = options, .height = height, .width = width}), channels, height,
                width, options);
}

}  // namespace minception
