#include <minception/data/image_formats.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <system_error>

namespace minception {
namespace {

using Decoder = DecodedImage (*)(std::span<const std::uint8_t> file, const std::string& name);

struct Format {
  std::string_view magic;
  Decoder decode;
};

constexpr Format kFormats[] = {{{"\x89PNG\r\n\x1a\n", 8}, decode_png},
                               {{"\xff\xd8\xff", 3}, decode_jpeg},
                               {{"P2", 2}, decode_pnm},
                               {{"P3", 2}, decode_pnm},
                               {{"P5", 2}, decode_pnm},
                               {{"P6", 2}, decode_pnm}};

constexpr std::size_t kLongestMagic = 8;

Decoder decoder_for(std::span<const std::uint8_t> file, const std::string& name) {
  require(!file.empty(), name, ": the file is empty", kImageRemedy);
  for (const Format& format : kFormats) {
    const auto matches = [](char expected, std::uint8_t byte) { return static_cast<std::uint8_t>(expected) == byte; };
    if (file.size() >= format.magic.size() &&
        std::equal(format.magic.begin(), format.magic.end(), file.begin(), matches)) {
      return format.decode;
    }
  }
  fail(name, ": this is no image of a known format: PNG, JPEG, PGM and PPM (P2, P3, P5, P6) are read; convert it");
}

class File {
 public:
  explicit File(const std::string& name) : name_(name) {
    errno = 0;
    file_.reset(std::fopen(name.c_str(), "rb"));
    require(file_ != nullptr, name_, ": cannot be opened: ", system_message());
  }

  /// Appends up to `count` bytes and returns how many there were.
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

bool has_image_suffix(const std::filesystem::path& path) {
  std::string suffix = path.extension().string();
  for (char& letter : suffix) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  constexpr std::string_view kSuffixes[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".pgm", ".ppm", ".pnm"};
  return std::find(std::begin(kSuffixes), std::end(kSuffixes), suffix) != std::end(kSuffixes);
}

DecodedImage decode_image(std::span<const std::uint8_t> file, const std::string& name) {
  return decoder_for(file, name)(file, name);
}

DecodedImage read_image(const std::filesystem::path& path) {
  const std::string name = path.string();
  File file(name);
  std::vector<std::uint8_t> bytes;
  file.append_to(bytes, kLongestMagic);
  (void)decoder_for(bytes, name);  // what is no image is not read any further, however large it is
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  while (file.append_to(bytes, kPiece) == kPiece) {
  }
  return decode_image(bytes, name);
}

}  // namespace minception
