/// WebP, GIF, TIFF and BMP: pixels, transparency, damage; and resizing to other aspect ratios.
/// tests/peers/test_images.py compares all kinds of these files with PIL.

#include "tests/data/image_files.h"

#include <algorithm>

using namespace minception;
using namespace minception::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

// Images of 5x3 pixels from `pattern`. The GIF instead has its palette colours i = 0 to 14 in order, (17 i, 255 - 16 i,
// 3 i); colour 4 is transparent.
const std::string kWebp = from_hex(
    "5249464686000000574542505650384c7a0000002f0480001077a0269224c5bfc483ff9019b3bbb7a1269224c5bfb57300ff1f326376"
    "576a2249524c9d7f1ff0ff21336677a5b68d24a5de2b19fe3f64c6ec4ef101609f73001155554544ac73eefdff55557d08c179efef7b"
    "6fcc3973294544a4d45aa11ab215ea3e3eaf570ca9e4144c0a5945f43fb65d9f1b01");
const std::string kGif = from_hex(
    "4749463839610500030083000000ff0011ef0322df0633cf0944bf0c55af0f669f12778f15887f18996f1baa5f1ebb4f21cc3f24dd2f"
    "27ee1f2a00000021f90401000004002c000000000500030000081400010410308040010307102450b0804103070101003b");
const std::string kTiff = from_hex(
    "49492a00080000000a000001040001000000050000000101040001000000030000000201030003000000860000000301030001000000"
    "0100000006010300010000000200000011010400010000008c0000001501030001000000030000001601040001000000030000001701"
    "0400010000002d0000001c01030001000000010000000000000008000800080000356a255a8f4a7fb46fa4d994c9fe659acf91c6fbbd"
    "f227e91e53154a7fcaff34fd326730659a6398cd96cb00");
const std::string kTiffLzw = from_hex(
    "49492a001c000000800004a4a37a50ca915eba42aca7e8c0c69680800900000103000100000005000000010103000100000003000000"
    "020103000100000008000000030103000100000005000000060103000100000001000000110104000100000008000000160103000100"
    "0000030000001701040001000000140000001c010300010000000100000000000000");

DecodedImage decoded(const std::string& file, const ImageOptions& options = {}) {
  return decode_image({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, "file", {.options = options});
}

/// The four-channel pattern (RGB and alpha) blended over a background.
Bytes covered(const std::array<std::uint8_t, 3>& background) {
  Bytes pixels;
  for (std::int64_t y = 0; y < 3; ++y) {
    for (std::int64_t x = 0; x < 5; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const int opacity = pattern(y, x, 3);
        const int sum = pattern(y, x, c) * opacity + background[static_cast<std::size_t>(c)] * (255 - opacity);
        pixels.push_back(static_cast<std::uint8_t>((sum + 127) / 255));
      }
    }
  }
  return pixels;
}

struct Bmp {
  int width = 5, height = 3, bits = 24;
  std::uint32_t compression = 0;
  std::string palette, masks;
};

std::string little_endian(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// `rows`: padded to four bytes, in file order.
std::string bmp_file(const Bmp& bmp, const std::string& rows) {
  const std::string extra = bmp.masks + bmp.palette;
  const auto pixels = static_cast<std::uint32_t>(14 + 40 + extra.size());
  return "BM" + little_endian(pixels + static_cast<std::uint32_t>(rows.size()), 4) + little_endian(0, 4) +
         little_endian(pixels, 4) + little_endian(40, 4) + little_endian(static_cast<std::uint32_t>(bmp.width), 4) +
         little_endian(static_cast<std::uint32_t>(bmp.height), 4) + little_endian(1, 2) +
         little_endian(static_cast<std::uint32_t>(bmp.bits), 2) + little_endian(bmp.compression, 4) +
         little_endian(0, 20) + extra + rows;
}

/// The pattern in 24-bit rows, bottom row first unless `from_top`.
std::string pattern_rows(bool from_top) {
  std::string rows;
  for (std::int64_t row = 0; row < 3; ++row) {
    const std::int64_t y = from_top ? row : 2 - row;
    for (std::int64_t x = 0; x < 5; ++x) {
      for (const std::int64_t c : {2, 1, 0}) rows += static_cast<char>(pattern(y, x, c));
    }
    rows += '\0';
  }
  return rows;
}

}  // namespace

TEST_CASE("WebP and GIF and TIFF are read and blended over the background") {
  const ImageOptions coloured = {.background = {10, 200, 90}};
  if (has_webp()) {
    CHECK(decoded(kWebp).pixels == covered({0, 0, 0}));
    CHECK(decoded(kWebp, coloured).pixels == covered({10, 200, 90}));
  }
  if (has_gif()) {
    for (const ImageOptions& options : {ImageOptions{}, coloured}) {
      Bytes expected;
      for (int i = 0; i < 15; ++i) {
        const Bytes colour = {static_cast<std::uint8_t>(17 * i), static_cast<std::uint8_t>(255 - 16 * i),
                              static_cast<std::uint8_t>(3 * i)};
        if (i == 4) {
          expected.insert(expected.end(), options.background.begin(), options.background.end());
        } else {
          expected.insert(expected.end(), colour.begin(), colour.end());
        }
      }
      const DecodedImage image = decoded(kGif, options);
      CHECK(image.shape == Shape{3, 3, 5});
      CHECK(image.pixels == expected);
    }
  }
  if (has_tiff()) {
    CHECK(decoded(kTiff).pixels == pattern_image(3, 3, 5).pixels);
    CHECK(decoded(kTiffLzw).shape == Shape{1, 3, 5});
    CHECK(decoded(kTiffLzw).pixels == pattern_image(1, 3, 5).pixels);
  }
}

TEST_CASE("BMPs of all depths are read in bottom-up and top-down order") {
  const DecodedImage expected = pattern_image(3, 3, 5);
  CHECK(decoded(bmp_file({}, pattern_rows(false))).pixels == expected.pixels);
  CHECK(decoded(bmp_file({.height = -3}, pattern_rows(true))).pixels == expected.pixels);

  // Two pixels with a grey palette of 1, 4 and 8 bits: the image is grey.
  const std::string palette = std::string("\x07\x07\x07\0", 4) + std::string("\xf0\xf0\xf0\0", 4);
  for (const auto& [bits, row] : {std::pair{1, '\x40'}, {4, '\x01'}}) {
    const DecodedImage image =
        decoded(bmp_file({.width = 2, .height = 1, .bits = bits, .palette = palette}, {row, 0, 0, 0}));
    CHECK(image.shape == Shape{1, 1, 2});
    CHECK(image.pixels == Bytes{7, 240});
  }
  const Bmp two = {.width = 2, .height = 1, .bits = 8, .palette = palette};
  CHECK(decoded(bmp_file(two, {0, 1, 0, 0})).pixels == Bytes{7, 240});
  CHECK_THAT(damage_message(bmp_file(two, {0, 2, 0, 0})), Catch::Contains("colour 2, which is not in the palette"));

  // 16 bits: five per channel, and with masks; 32 bits with alpha.
  CHECK(decoded(bmp_file({.width = 2, .height = 1, .bits = 16}, {0x1f, 0x7c, '\xe0', 0x03})).pixels ==
        Bytes{255, 0, 255, 0, 255, 0});
  const std::string masks = little_endian(0xf800, 4) + little_endian(0x7e0, 4) + little_endian(0x1f, 4);
  CHECK(decoded(bmp_file({.width = 2, .height = 1, .bits = 16, .compression = 3, .masks = masks},
                         {'\xff', '\xff', 0x10, '\x84'}))
            .pixels == Bytes{255, 255, 255, 132, 130, 132});
  CHECK(damage_message(bmp_file({.compression = 1}, pattern_rows(false))) ==
        "BMP with compression is not supported; convert it to PNG");
}

TEST_CASE("damaged WebP and GIF and TIFF and BMP files are rejected") {
  if (has_webp()) {
    check_truncations(kWebp);
    CHECK(check_wrong_bytes(kWebp, 2000) > 500);
  }
  if (has_gif()) {
    check_truncations(kGif.substr(0, kGif.size() - 1));  // the last byte is the trailer, which is not required
    CHECK(check_wrong_bytes(kGif, 2000) > 300);
  }
  if (has_tiff()) {
    CHECK(check_wrong_bytes(kTiff, 2000) > 200);
    check_truncations(kTiff.substr(0, kTiff.size()));
    check_wrong_bytes(kTiffLzw, 2000);
  }
  check_truncations(bmp_file({}, pattern_rows(false)));
  check_wrong_bytes(bmp_file({}, pattern_rows(false)), 2000);
  CHECK(damage_message(bmp_file({.width = 20000, .height = 20000}, "")) ==
        "the image is 20000x20000, more than the limit of 268435456 pixels; shrink it");
}

TEST_CASE("a build without an image library names the missing package") {
  const std::string end = ", run cmake and build again";
  if (!has_webp()) {
    CHECK(damage_message(kWebp) == "this build cannot read WebP; install libwebp (Debian: libwebp-dev)" + end);
  }
  if (!has_gif())
    CHECK(damage_message(kGif) == "this build cannot read GIF; install giflib (Debian: libgif-dev)" + end);
  if (!has_tiff())
    CHECK(damage_message(kTiff) == "this build cannot read TIFF; install libtiff (Debian: libtiff-dev)" + end);
}

TEST_CASE("images of other aspect ratios are stretched or cropped or letterboxed") {
  const DecodedImage image = {Shape{1, 2, 4}, {0, 10, 20, 30, 40, 50, 60, 70}};
  CHECK(fitted_to(image, 2, 2, {}).pixels == resized_to(image, 2, 2).pixels);
  CHECK(fitted_to(image, 2, 2, {.resize = Resize::crop}).pixels == Bytes{10, 20, 50, 60});
  CHECK(fitted_to(image, 4, 4, {.resize = Resize::letterbox, .background = {9, 9, 9}}).pixels ==
        Bytes{9, 9, 9, 9, 0, 10, 20, 30, 40, 50, 60, 70, 9, 9, 9, 9});
  // A coloured border makes a grey image RGB.
  const DecodedImage bordered = fitted_to(image, 4, 4, {.resize = Resize::letterbox, .background = {1, 2, 3}});
  CHECK(bordered.shape == Shape{3, 4, 4});
  CHECK(Bytes(bordered.pixels.begin(), bordered.pixels.begin() + 3) == Bytes{1, 2, 3});
  CHECK(Bytes(bordered.pixels.begin() + 15, bordered.pixels.begin() + 18) == Bytes{10, 10, 10});
  // Images with an extent of 1.
  const DecodedImage line = {Shape{1, 1, 9}, Bytes(9, 5)};
  CHECK(fitted_to(line, 4, 4, {.resize = Resize::crop}).pixels == Bytes(16, 5));
  CHECK(fitted_to(line, 4, 4, {.resize = Resize::letterbox}).pixels ==
        Bytes{0, 0, 0, 0, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(message_of([] { parse_resize("squash"); }) == "'squash' is not a resize mode: use stretch, crop or letterbox");
}

TEST_CASE("JPEGs are reduced only to at least twice the target size") {
  const auto reduction = [](std::int64_t height, std::int64_t width, Resize resize, std::int64_t h, std::int64_t w) {
    return reduction_for(height, width, {.options = {.resize = resize}, .height = h, .width = w});
  };
  CHECK(reduction(3000, 4000, Resize::stretch, 0, 0) == 1);
  CHECK(reduction(3000, 4000, Resize::stretch, 96, 96) == 8);
  CHECK(reduction(1536, 1536, Resize::stretch, 96, 96) == 8);
  CHECK(reduction(1535, 1536, Resize::stretch, 96, 96) == 4);
  CHECK(reduction(383, 4000, Resize::stretch, 96, 96) == 1);
  CHECK(reduction(384, 4000, Resize::stretch, 96, 96) == 2);
  CHECK(reduction(384, 4000, Resize::crop, 96, 96) == 2);
  CHECK(reduction(384, 4000, Resize::letterbox, 96, 96) == 8);
}
