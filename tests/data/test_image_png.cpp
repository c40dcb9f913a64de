/// These tests write PNG files chunk by chunk after the specification (https://www.w3.org/TR/png/), so that libpng is
/// not tested against itself.

#include "tests/data/image_files.h"

#include <zlib.h>

#include <functional>

using namespace minception;
using namespace minception::testing;

#ifdef MINCEPTION_HAVE_PNG

namespace {

using Bytes = std::vector<std::uint8_t>;

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body + big_endian(static_cast<std::uint32_t>(crc));
}

std::string deflated(const std::string& data) {
  uLongf size = compressBound(static_cast<uLong>(data.size()));
  std::string result(size, '\0');
  REQUIRE(compress(reinterpret_cast<Bytef*>(result.data()), &size, reinterpret_cast<const Bytef*>(data.data()),
                   static_cast<uLong>(data.size())) == Z_OK);
  result.resize(size);
  return result;
}

enum ColourType : int { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgba = 6 };

int channels_of(ColourType colour) { return colour == kRgb ? 3 : colour == kGreyAlpha ? 2 : colour == kRgba ? 4 : 1; }

struct Png {
  std::int64_t height = 3;
  std::int64_t width = 5;
  ColourType colour = kGrey;
  int depth = 8;
  bool interlaced = false;
  std::string chunks;  ///< PLTE and tRNS
};

std::string header_of(const Png& png) {
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(static_cast<std::uint32_t>(png.width)) +
                           big_endian(static_cast<std::uint32_t>(png.height)) + static_cast<char>(png.depth) +
                           static_cast<char>(png.colour) + std::string(2, '\0') + static_cast<char>(png.interlaced));
}

/// A sample in the file, of `depth` bits.
using Sample = std::function<int(std::int64_t y, std::int64_t x, int channel)>;

/// Every `dy`th row from `y0` with every `dx`th column from `x0`; filter type 0.
std::string rows_of(const Png& png, const Sample& sample, int y0, int x0, int dy, int dx) {
  std::string rows;
  for (std::int64_t y = y0; y < png.height && x0 < png.width; y += dy) {
    rows += '\0';
    int bits = 0, used = 0;
    for (std::int64_t x = x0; x < png.width; x += dx) {
      for (int c = 0; c < channels_of(png.colour); ++c) {
        bits = bits << png.depth | sample(y, x, c);
        for (used += png.depth; used >= 8; used -= 8) rows += static_cast<char>(bits >> (used - 8) & 255);
        bits &= 0xffff;
      }
    }
    if (used > 0) rows += static_cast<char>(bits << (8 - used) & 255);
  }
  return rows;
}

std::string file_of(const Png& png, const Sample& sample) {
  std::string rows;
  if (png.interlaced) {
    constexpr int kPasses[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                   {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
    for (const auto& [y0, x0, dy, dx] : kPasses) rows += rows_of(png, sample, y0, x0, dy, dx);
  } else {
    rows = rows_of(png, sample, 0, 0, 1, 1);
  }
  return header_of(png) + png.chunks + chunk("IDAT", deflated(rows)) + chunk("IEND", "");
}

int pattern_sample(int depth, std::int64_t y, std::int64_t x, int channel) {
  const int value = pattern(y, x, channel);
  return depth == 16 ? value << 8 | pattern(x, y, channel) : value >> (8 - depth);
}

/// A sample of `depth` bits, scaled and rounded to a byte.
int as_byte(int depth, int sample) {
  const int most = (1 << depth) - 1;
  return (sample * 255 * 2 + most) / (2 * most);
}

DecodedImage decoded(const std::string& file) {
  return decode_image({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, "file");
}

/// Checks that each byte of the decoded file equals `expected`.
void check_image(const Png& png, const std::string& file, std::int64_t channels, const Sample& expected) {
  CAPTURE(png.colour, png.depth, png.interlaced, png.height, png.width);
  const DecodedImage image = decoded(file);
  REQUIRE(image.shape == Shape{channels, png.height, png.width});
  for (std::int64_t y = 0; y < png.height; ++y) {
    for (std::int64_t x = 0; x < png.width; ++x) {
      for (int c = 0; c < channels; ++c) {
        CAPTURE(y, x, c);
        const std::int64_t at = (y * png.width + x) * channels + c;
        CHECK(int{image.pixels[static_cast<std::size_t>(at)]} == expected(y, x, c));
      }
    }
  }
}

/// Calls `check` for plain and interlaced layouts in several sizes.
void for_each_layout(Png png, const std::function<void(const Png&)>& check) {
  for (bool interlaced : {false, true}) {
    for (const Shape& size : {Shape{1, 1}, Shape{3, 5}, Shape{17, 9}}) {
      png.interlaced = interlaced;
      png.height = size[0];
      png.width = size[1];
      check(png);
    }
  }
}

std::string two_bytes(int value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

}  // namespace

TEST_CASE("encode_png and read_image preserve pixels") {
  for (std::int64_t channels : {1, 3}) {
    const DecodedImage image = pattern_image(channels, 13, 21);
    const TemporaryFolder folder;
    write_file(folder / "image.png", text_of(encode_png(image.shape, image.pixels)));
    const DecodedImage read = read_image(folder / "image.png");
    CHECK(read.shape == image.shape);
    CHECK(stored_shape(folder / "image.png") == image.shape);
    CHECK(read.pixels == image.pixels);
  }
}

TEST_CASE("grey PNGs of all depths are read") {
  for (int depth : {1, 2, 4, 8, 16}) {
    for_each_layout({.colour = kGrey, .depth = depth}, [&](const Png& png) {
      const Sample sample = [&](auto y, auto x, int c) { return pattern_sample(depth, y, x, c); };
      check_image(png, file_of(png, sample), 1, [&](auto y, auto x, int c) { return as_byte(depth, sample(y, x, c)); });
    });
  }
}

TEST_CASE("RGB PNGs of both depths are read") {
  for (int depth : {8, 16}) {
    for_each_layout({.colour = kRgb, .depth = depth}, [&](const Png& png) {
      const Sample sample = [&](auto y, auto x, int c) { return pattern_sample(depth, y, x, c); };
      check_image(png, file_of(png, sample), 3, [&](auto y, auto x, int c) { return as_byte(depth, sample(y, x, c)); });
    });
  }
}

TEST_CASE("PNGs with an alpha channel are blended over black") {
  for (ColourType colour : {kGreyAlpha, kRgba}) {
    for (int depth : {8, 16}) {
      for_each_layout({.colour = colour, .depth = depth}, [&](const Png& png) {
        const Sample sample = [&](auto y, auto x, int c) { return pattern_sample(depth, y, x, c); };
        const int alpha = channels_of(colour) - 1;
        check_image(png, file_of(png, sample), alpha, [&](auto y, auto x, int c) {
          return (as_byte(depth, sample(y, x, c)) * as_byte(depth, sample(y, x, alpha)) + 127) / 255;
        });
      });
    }
  }
}

TEST_CASE("PNGs with a palette are read and blended over black") {
  for (int depth : {1, 2, 4, 8}) {
    const int colours = 1 << depth;
    std::string palette, alpha;
    for (int i = 0; i < colours; ++i) {
      for (int c = 0; c < 3; ++c) palette += static_cast<char>(i * 77 + c * 91 + 5);
      if (i < colours - 1) alpha += static_cast<char>(255 - i * 9);  // the last colour has no entry and is opaque
    }
    const auto colour_of = [&](int index, int c) { return (index * 77 + c * 91 + 5) & 255; };
    const auto alpha_of = [&](int index) { return index < colours - 1 ? (255 - index * 9) & 255 : 255; };
    const Sample sample = [&](auto y, auto x, int) { return pattern_sample(depth, y, x, 0); };
    for_each_layout({.colour = kPalette, .depth = depth, .chunks = chunk("PLTE", palette)}, [&](const Png& png) {
      check_image(png, file_of(png, sample), 3, [&](auto y, auto x, int c) { return colour_of(sample(y, x, 0), c); });
    });
    for_each_layout({.colour = kPalette, .depth = depth, .chunks = chunk("PLTE", palette) + chunk("tRNS", alpha)},
                    [&](const Png& png) {
                      check_image(png, file_of(png, sample), 3, [&](auto y, auto x, int c) {
                        const int index = sample(y, x, 0);
                        return (colour_of(index, c) * alpha_of(index) + 127) / 255;
                      });
                    });
  }
}

TEST_CASE("the transparent colour of a PNG becomes black") {
  for (int depth : {1, 2, 4, 8, 16}) {
    const Sample sample = [&](auto y, auto x, int c) { return pattern_sample(depth, y, x, c); };
    const int key = sample(0, 4, 0);
    REQUIRE(as_byte(depth, key) != 0);
    const Png png = {.colour = kGrey, .depth = depth, .chunks = chunk("tRNS", two_bytes(key))};
    check_image(png, file_of(png, sample), 1,
                [&](auto y, auto x, int c) { return sample(y, x, c) == key ? 0 : as_byte(depth, sample(y, x, c)); });
  }
  for (int depth : {8, 16}) {
    const Sample sample = [&](auto y, auto x, int c) { return pattern_sample(depth, y, x, c); };
    const std::string key = two_bytes(sample(0, 4, 0)) + two_bytes(sample(0, 4, 1)) + two_bytes(sample(0, 4, 2));
    const Png png = {.colour = kRgb, .depth = depth, .chunks = chunk("tRNS", key)};
    check_image(png, file_of(png, sample), 3,
                [&](auto y, auto x, int c) { return y == 0 && x == 4 ? 0 : as_byte(depth, sample(y, x, c)); });
  }
}

TEST_CASE("truncated or changed PNGs give an image or an error message") {
  const Sample sample = [&](auto y, auto x, int c) { return pattern(y, x, c); };
  const std::string palette(768, 'p');
  for (const Png& png :
       {Png{.height = 9, .width = 7}, Png{.height = 9, .width = 7, .colour = kRgba, .interlaced = true},
        Png{.colour = kPalette, .chunks = chunk("PLTE", palette) + chunk("tRNS", "abc")}}) {
    const std::string whole = file_of(png, sample);
    check_truncations(whole);
    CHECK(check_wrong_bytes(whole, 1000) > 900);  // nearly all, detected by the chunk checksums
  }
  // With correct checksums, damage reaches decompression and filters.
  std::string rows = rows_of({.height = 9, .width = 7}, sample, 0, 0, 1, 1);
  const Random random{1, name_hash("png")};
  int refused = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    std::string data = deflated(rows);
    data[random.bits(3 * i) % data.size()] = static_cast<char>(random.bits(3 * i + 1));
    refused +=
        damage_message(header_of({.height = 9, .width = 7}) + chunk("IDAT", data) + chunk("IEND", "")).empty() ? 0 : 1;
  }
  CHECK(refused > 500);
}

TEST_CASE("invalid PNGs are rejected with the reason of libpng") {
  const Sample sample = [&](auto y, auto x, int c) { return pattern(y, x, c); };
  const std::string whole = file_of({}, sample);
  CHECK(damage_message(whole.substr(0, 60)) ==
        "the PNG data are damaged (the file is truncated); copy or download it again");
  std::string wrong_checksum = whole;
  wrong_checksum[whole.size() - 14] = static_cast<char>(wrong_checksum[whole.size() - 14] ^ 1);
  CHECK(damage_message(wrong_checksum) == "the PNG data are damaged (IDAT: CRC error); copy or download it again");
  CHECK_THAT(damage_message(file_of({.colour = kPalette}, sample)), Catch::Contains("Missing PLTE"));
  CHECK_THAT(damage_message(file_of({.colour = static_cast<ColourType>(5)}, sample)), Catch::Contains("Invalid IHDR"));
  CHECK_THAT(damage_message(header_of({}) + chunk("IEND", "")), Catch::Contains("the PNG data are damaged"));
  CHECK_THAT(damage_message(header_of({}) + chunk("IDAT", deflated(std::string(3, '\0'))) + chunk("IEND", "")),
             Catch::Contains("Not enough image data"));
}

TEST_CASE("PNGs with sizes that the file cannot hold are rejected before memory is allocated") {
  const auto claim = [](std::int64_t height, std::int64_t width) {
    return damage_message(header_of({.height = height, .width = width, .colour = kRgba, .depth = 16}) +
                          chunk("IDAT", deflated("few")) + chunk("IEND", ""));
  };
  CHECK(claim(16385, 16384) == "the image is 16384x16385, more than the limit of 268435456 pixels; shrink it");
  CHECK_THAT(claim(0x7fffffff, 0x7fffffff), Catch::Contains("more than the limit of 268435456 pixels"));
  CHECK_THAT(claim(16384, 16384), Catch::Contains("bytes cannot hold an image of 16384x16384: the file is truncated"));
  CHECK_THAT(claim(0, 5), Catch::Contains("Image height is zero") || Catch::Contains("Invalid IHDR"));
  // Highest compression ratio of deflate: one colour, 6000x6000.
  const DecodedImage black{Shape{1, 6000, 6000}, Bytes(36000000)};
  CHECK((decoded(text_of(encode_png(black.shape, black.pixels))).pixels == black.pixels));
}

TEST_CASE("encode_png rejects invalid shapes and sizes") {
  const Bytes pixels(12);
  CHECK(message_of([&] {
          encode_png(Shape{2, 2, 3}, pixels);
        }) == "an image of shape [2,2,3] cannot be written as PNG: (C, H, W) with C 1 or 3 is needed");
  CHECK_THAT(message_of([&] { encode_png(Shape{12}, pixels); }), Catch::Contains("(C, H, W) with C 1 or 3 is needed"));
  CHECK(message_of([&] {
          encode_png(Shape{1, 0, 3}, pixels);
        }) == "an image of [1,0,3] cannot be written as PNG: it must have 1 to 268435456 pixels");
  CHECK(message_of([&] { encode_png(Shape{3, 2, 3}, pixels); }) == "an image of [3,2,3] has 18 bytes, not 12");
}

#else

TEST_CASE("a build without libpng names the missing package") {
  CHECK_FALSE(has_png());
  CHECK(damage_message("\x89PNG\r\n\x1a\n") ==
        "this build cannot read PNG; install libpng (Debian: libpng-dev), run cmake and build again");
  CHECK(message_of([] {
          encode_png(Shape{1, 1, 1}, std::vector<std::uint8_t>(1));
        }) == "this build cannot write PNG; install libpng (Debian: libpng-dev), run cmake and build again");
}

#endif
