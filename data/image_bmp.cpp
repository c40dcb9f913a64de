/// Uncompressed BMP, after Microsoft's documentation ("Bitmap Storage", BITMAPINFOHEADER and its later versions):
/// palettes of 1, 4 and 8 bits, 16 bits with masks, 24 and 32 bits.

#include "data/image_formats.h"

#include <array>
#include <bit>

namespace minception {
namespace {

class BmpReader {
 public:
  BmpReader(std::span<const std::uint8_t> file, const std::string& name) : file_(file), name_(name) {}

  DecodedImage read(const ImageOptions& options) {
    constexpr std::size_t kFileHeader = 14;
    const std::size_t pixels = number(10, 4), header = number(kFileHeader, 4);
    require(header == 12 || header >= 40, name_, ": a header of ", header, " bytes is not valid in BMP", kImageRemedy);
    const bool old = header == 12;  // BITMAPCOREHEADER of OS/2 1
    std::int64_t width = old ? number(18, 2) : signed_number(18), height = old ? number(20, 2) : signed_number(22);
    const bool from_top = height < 0;
    if (from_top) height = -height;
    const std::uint32_t bits = number(old ? 24 : 28, 2), compression = old ? 0 : number(30, 4);
    require(compression == 0 || compression == 3 || compression == 6, name_,
            ": BMP with compression is not supported; convert it to PNG");
    const bool palette = bits == 1 || bits == 4 || bits == 8;
    require(palette || bits == 16 || bits == 24 || bits == 32, name_, ": ", bits,
            " bits per pixel are not valid in BMP", kImageRemedy);
    check_extents(name_, height, width);
    // Rows are padded to 4 bytes.
    const std::size_t row_bytes = (static_cast<std::size_t>(width) * bits + 31) / 32 * 4;
    require(pixels <= file_.size() && row_bytes * static_cast<std::size_t>(height) <= file_.size() - pixels, name_,
            ": an image of ", width, 'x', height, " needs ", row_bytes * static_cast<std::size_t>(height),
            " bytes from byte ", pixels, " on: the file is truncated", kImageRemedy);

    std::array<std::uint32_t, 4> masks = {0xff0000, 0xff00, 0xff, 0};  // red, green, blue, opacity
    if (bits == 16) masks = {0x7c00, 0x3e0, 0x1f, 0};
    if (compression != 0 && !palette && bits != 24) {
      const bool has_opacity = header >= 56 || compression == 6;
      for (std::size_t c = 0; c < (has_opacity ? 4u : 3u); ++c) masks[c] = number(54 + 4 * c, 4);
    }
    const std::size_t entry = old ? 3 : 4, palette_at = kFileHeader + header;
    std::vector<std::uint8_t> rgba;
    rgba.reserve(static_cast<std::size_t>(width * height) * 4);
    for (std::int64_t y = 0; y < height; ++y) {
      const std::size_t row = pixels + static_cast<std::size_t>(from_top ? y : height - 1 - y) * row_bytes;
      for (std::int64_t x = 0; x < width; ++x) {
        const std::size_t bit = static_cast<std::size_t>(x) * bits, at = row + bit / 8;
        if (palette) {
          const std::size_t index = file_[at] >> (8 - bits - bit % 8) & ((1u << bits) - 1);
          const std::size_t colour = palette_at + index * entry;
          require(colour + 3 <= pixels, name_, ": a pixel has colour ", index, ", which is not in the palette",
                  kImageRemedy);
          rgba.insert(rgba.end(), {file_[colour + 2], file_[colour + 1], file_[colour], 255});
        } else {
          const std::uint32_t value = number(at, bits / 8);
          for (std::size_t c = 0; c < 4; ++c) rgba.push_back(part(value, masks[c], c == 3 ? 255 : 0));
        }
      }
    }
    const DecodedImage image = over_background(name_, Shape{3, height, width}, rgba, options);
    return is_grey(image) ? with_channels(image, 1) : image;
  }

 private:
  std::uint32_t number(std::size_t at, std::size_t count) const {
    require(at + count <= file_.size(), name_, ": ends within its header: the file is truncated", kImageRemedy);
    std::uint32_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8 | file_[at + i];
    return value;
  }
  std::int64_t signed_number(std::size_t at) const { return static_cast<std::int32_t>(number(at, 4)); }

  /// The bits selected by the mask, scaled to 0..255; `absent` for an empty mask.
  static std::uint8_t part(std::uint32_t value, std::uint32_t mask, std::uint8_t absent) {
    if (mask == 0) return absent;
    const std::uint64_t most = mask >> std::countr_zero(mask), found = (value & mask) >> std::countr_zero(mask);
    return static_cast<std::uint8_t>((found * 255 + most / 2) / most);
  }

  /// BMP has no grey format: an image is grey if all its pixels are.
  static bool is_grey(const DecodedImage& image) {
    for (std::size_t at = 0; at < image.pixels.size(); at += 3) {
      if (image.pixels[at] != image.pixels[at + 1] || image.pixels[at] != image.pixels[at + 2]) return false;
    }
    return true;
  }

  std::span<const std::uint8_t> file_;
  const std::string& name_;
};

}  // namespace

DecodedImage decode_bmp(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how) {
  return BmpReader(file, name).read(how.options);
}

}  // namespace minception
