/// PGM and PPM, after Netpbm's format descriptions (https://netpbm.sourceforge.net/doc/pgm.html, ppm.html): P2 and P3
/// store samples as decimal numbers, P5 and P6 as one byte each, or two if the maximum is above 255.

#include "data/image_formats.h"

namespace minception {
namespace {

class PnmReader {
 public:
  PnmReader(std::span<const std::uint8_t> file, const std::string& name) : file_(file), name_(name) {}

  DecodedImage read() {
    const char kind = static_cast<char>(file_[1]);
    const bool plain = kind == '2' || kind == '3';
    const std::int64_t channels = kind == '2' || kind == '5' ? 1 : 3;
    place_ = 2;
    require(place_ < file_.size(), name_, ": ends within its header: the file is truncated", kImageRemedy);
    require(is_space(file_[place_]) || file_[place_] == '#', name_, ": 'P", kind,
            "' is not followed by white space: ", "not a PGM or PPM file");
    const std::int64_t width = next_number("the width");
    const std::int64_t height = next_number("the height");
    maximum_ = next_number("the maximum");
    require(1 <= maximum_ && maximum_ <= 65535, name_, ": the maximum is ", maximum_, "; it must be 1 to 65535");
    // Minimum bytes per sample; plain formats need a digit and the space before it.
    const std::size_t sample_bytes = plain || maximum_ > 255 ? 2 : 1;
    if (!plain) skip_one_space();
    const std::size_t left = file_.size() - place_;
    if (width >= 1 && height >= 1 && width <= kMostPixels / height) {
      const std::size_t needed = static_cast<std::size_t>(width * height * channels) * sample_bytes;
      require(left >= needed, name_, ": an image of ", width, 'x', height, " needs ", plain ? "at least " : "", needed,
              " bytes but there are ", left, ": the file is truncated", kImageRemedy);
    }
    DecodedImage image = blank_image(name_, channels, height, width);
    if (plain) {
      for (std::uint8_t& value : image.pixels) value = to_byte(next_number("a sample"));
      skip_space();
    } else {
      for (std::uint8_t& value : image.pixels) value = to_byte(next_raw(sample_bytes));
    }
    require(place_ == file_.size(), name_, ": ", file_.size() - place_, " bytes follow the image, from byte ", place_,
            "; only files with one image are supported");
    return image;
  }

 private:
  static bool is_space(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }
  static bool is_digit(std::uint8_t byte) { return byte >= '0' && byte <= '9'; }

  /// Comments end with the line.
  void skip_comment() {
    while (place_ < file_.size() && file_[place_] != '\n' && file_[place_] != '\r') ++place_;
  }

  void skip_space() {
    while (place_ < file_.size() && (is_space(file_[place_]) || file_[place_] == '#')) {
      if (file_[place_] == '#') {
        skip_comment();
      } else {
        ++place_;
      }
    }
  }

  /// Exactly one white-space character separates header and raw samples, whose bytes may be white space, too.
  void skip_one_space() {
    if (place_ < file_.size() && file_[place_] == '#') skip_comment();
    require(place_ < file_.size(), name_, ": ends after its header: the file is truncated", kImageRemedy);
    require(is_space(file_[place_]), name_, ": no white space follows the maximum, at byte ", place_, kImageRemedy);
    ++place_;
  }

  std::int64_t next_number(const char* what) {
    skip_space();
    require(place_ < file_.size(), name_, ": ends before ", what, ": the file is truncated", kImageRemedy);
    require(is_digit(file_[place_]), name_, ": byte ", place_, " should begin ", what, " but is not a digit",
            kImageRemedy);
    std::int64_t value = 0;
    for (; place_ < file_.size() && is_digit(file_[place_]); ++place_) {
      value = value * 10 + (file_[place_] - '0');
      require(value <= kMostPixels, name_, ": ", what, " before byte ", place_, " is above ", kMostPixels,
              kImageRemedy);
    }
    return value;
  }

  std::int64_t next_raw(std::size_t bytes) {
    std::int64_t value = file_[place_++];
    if (bytes == 2) value = value << 8 | file_[place_++];  // big-endian
    return value;
  }

  std::uint8_t to_byte(std::int64_t value) const {
    require(value <= maximum_, name_, ": a sample before byte ", place_, " is ", value, ", above the maximum of ",
            maximum_, kImageRemedy);
    return static_cast<std::uint8_t>((value * 255 + maximum_ / 2) / maximum_);
  }

  std::span<const std::uint8_t> file_;
  const std::string& name_;
  std::size_t place_ = 0;
  std::int64_t maximum_ = 0;
};

}  // namespace

DecodedImage decode_pnm(std::span<const std::uint8_t> file, const std::string& name, const Decoding&) {
  return PnmReader(file, name).read();
}

}  // namespace minception
