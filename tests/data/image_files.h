#pragma once
/// Helpers for tests of image files: decoding from bytes, and damaging files.

#include "core/random.h"
#include "data/image_formats.h"
#include "tests/core/temporary_folder.h"

#include "tests/catch.h"

#include <cstdint>
#include <string>
#include <vector>

namespace minception::testing {

inline DecodedImage decoded(const TemporaryFolder& folder, const std::string& bytes) {
  write_file(folder / "image", bytes);
  return read_image(folder / "image");
}

/// Error message of decoding these bytes, without the file name; "" on success. Checks that it is one line.
inline std::string damage_message(const std::string& bytes) {
  const std::string message = message_of([&] {
    const DecodedImage image =
        decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "file");
    REQUIRE(image.pixels.size() == static_cast<std::size_t>(image.shape.elements()));
  });
  if (message.empty()) return message;
  REQUIRE_THAT(message, Catch::StartsWith("file: "));
  REQUIRE(message.find('\n') == std::string::npos);
  return message.substr(6);
}

/// Checks that the file truncated to any length is rejected.
inline void check_truncations(const std::string& whole) {
  REQUIRE(damage_message(whole).empty());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string message = damage_message(whole.substr(0, length));
    if (message.empty()) {
      CAPTURE(length, whole.size());
      FAIL_CHECK("a truncated file gives an image");
    }
  }
}

/// Decodes `files` copies with one to four random bytes and checks the images or messages. Returns the number rejected.
inline int check_wrong_bytes(const std::string& whole, int files) {
  const Random random{1, name_hash(whole)};
  int refused = 0;
  for (std::uint64_t file = 0; file < static_cast<std::uint64_t>(files); ++file) {
    std::string damaged = whole;
    for (std::uint64_t i = 0; i <= random.bits(16 * file) % 4; ++i) {
      const std::size_t place = random.bits(16 * file + 2 * i + 1) % whole.size();
      damaged[place] = static_cast<char>(random.bits(16 * file + 2 * i + 2));
    }
    refused += damage_message(damaged).empty() ? 0 : 1;
  }
  return refused;
}

inline std::string text_of(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

/// Pixels of the test images: values that vary with position and channel.
inline std::uint8_t pattern(std::int64_t y, std::int64_t x, std::int64_t channel) {
  return static_cast<std::uint8_t>(x * 37 + y * 101 + channel * 53 + x * y * 7);
}

inline DecodedImage pattern_image(std::int64_t channels, std::int64_t height, std::int64_t width) {
  DecodedImage image;
  image.shape = Shape{channels, height, width};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) image.pixels.push_back(pattern(y, x, c));
    }
  }
  return image;
}

}  // namespace minception::testing
