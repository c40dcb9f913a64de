/// Image orientation from Exif 2.32 (CIPA DC-008, tag 0x0112).

#include "data/image_formats.h"

#include <algorithm>

namespace minception {
namespace {

/// TIFF 6.0 tag structure, read in its own byte order. Reads outside the data return 0.
class Tiff {
 public:
  explicit Tiff(std::span<const std::uint8_t> bytes) : bytes_(bytes), little_(number_in(bytes, 0, 2, true) == 0x4949) {}

  bool is_one() const { return (little_ || number(0, 2) == 0x4d4d) && number(2, 2) == 42; }
  std::uint32_t number(std::size_t at, std::size_t count) const { return number_in(bytes_, at, count, little_); }

 private:
  static std::uint32_t number_in(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t count, bool little) {
    if (at > bytes.size() || count > bytes.size() - at) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[at + (little ? count - 1 - i : i)];
    return value;
  }

  std::span<const std::uint8_t> bytes_;
  bool little_;
};

}  // namespace

int exif_orientation(std::span<const std::uint8_t> exif) {
  const Tiff tiff(exif);
  if (!tiff.is_one()) return 1;
  const std::size_t directory = tiff.number(4, 4);
  constexpr std::size_t kEntryBytes = 12;
  for (std::size_t i = 0; i < tiff.number(directory, 2); ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    constexpr std::uint32_t kOrientation = 0x0112, kShort = 3;
    if (tiff.number(entry, 2) != kOrientation || tiff.number(entry + 2, 2) != kShort) continue;
    const std::uint32_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

DecodedImage upright(DecodedImage image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const std::int64_t channels = image.shape[0], height = image.shape[1], width = image.shape[2];
  const bool transposed = orientation >= 5;
  // Position in the stored image of the upright image's first pixel: at the right for 2, 3, 7 and 8, at the bottom for
  // 3, 4, 6 and 7.
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  DecodedImage result{transposed ? Shape{channels, width, height} : image.shape, {}};
  result.pixels.resize(image.pixels.size());
  std::uint8_t* destination = result.pixels.data();
  for (std::int64_t row = 0; row < result.shape[1]; ++row) {
    for (std::int64_t column = 0; column < result.shape[2]; ++column, destination += channels) {
      std::int64_t y = transposed ? column : row, x = transposed ? row : column;
      if (from_bottom) y = height - 1 - y;
      if (from_right) x = width - 1 - x;
      std::copy_n(image.pixels.data() + (y * width + x) * channels, channels, destination);
    }
  }
  return result;
}

}  // namespace minception
