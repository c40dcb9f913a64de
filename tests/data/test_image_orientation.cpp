/// The eight Exif orientations, and truncated or invalid Exif data.

#include "tests/data/image_files.h"

#include <array>

using namespace minception;
using namespace minception::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Exif data with another tag before the orientation.
Bytes exif_with(std::uint16_t orientation, bool little, std::uint16_t type = 3) {
  Bytes bytes;
  const auto add = [&](std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) {
      bytes.push_back(static_cast<std::uint8_t>(value >> 8 * (little ? i : count - 1 - i)));
    }
  };
  add(little ? 0x4949 : 0x4d4d, 2);
  add(42, 2);
  add(10, 4);  // offset of the directory
  add(0, 2);
  add(2, 2);  // number of tags
  for (const auto& [tag, kind, value] : {std::array<std::uint16_t, 3>{0x0100, 3, 6}, {0x0112, type, orientation}}) {
    add(tag, 2);
    add(kind, 2);
    add(1, 4);
    add(value, 2);
    add(0, 2);
  }
  return bytes;
}

}  // namespace

TEST_CASE("upright undoes the eight Exif orientations") {
  // Exif 2.32: 1 means "the 0th row is at the visual top, the 0th column at the visual left", and so on. `stored` has
  // the stored image for each orientation of the upright image
  //   1 2 3
  //   4 5 6
  const DecodedImage picture{Shape{1, 2, 3}, {1, 2, 3, 4, 5, 6}};
  const DecodedImage stored[] = {{Shape{1, 2, 3}, {1, 2, 3, 4, 5, 6}}, {Shape{1, 2, 3}, {3, 2, 1, 6, 5, 4}},
                                 {Shape{1, 2, 3}, {6, 5, 4, 3, 2, 1}}, {Shape{1, 2, 3}, {4, 5, 6, 1, 2, 3}},
                                 {Shape{1, 3, 2}, {1, 4, 2, 5, 3, 6}}, {Shape{1, 3, 2}, {3, 6, 2, 5, 1, 4}},
                                 {Shape{1, 3, 2}, {6, 3, 5, 2, 4, 1}}, {Shape{1, 3, 2}, {4, 1, 5, 2, 6, 3}}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    INFO(orientation);
    const DecodedImage image = upright(stored[orientation - 1], orientation);
    CHECK(image.shape == picture.shape);
    CHECK(image.pixels == picture.pixels);
    for (const bool little : {false, true}) {
      CHECK(exif_orientation(exif_with(static_cast<std::uint16_t>(orientation), little)) == orientation);
    }
  }
  // The channels of a pixel stay together.
  CHECK(upright({Shape{3, 1, 2}, {1, 2, 3, 4, 5, 6}}, 2).pixels == Bytes{4, 5, 6, 1, 2, 3});
}

TEST_CASE("truncated or empty or invalid Exif data give orientation 1") {
  CHECK(exif_orientation({}) == 1);
  CHECK(exif_orientation(exif_with(0, true)) == 1);
  CHECK(exif_orientation(exif_with(9, true)) == 1);
  CHECK(exif_orientation(exif_with(6, true, 2)) == 1);
  const Bytes whole = exif_with(6, false);
  for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
    CHECK(exif_orientation(std::span(whole).first(length)) == 1);
  }
  Bytes far = whole;
  for (std::size_t i = 4; i < 8; ++i) far[i] = 0xff;  // directory outside the data
  CHECK(exif_orientation(far) == 1);
  Bytes many = whole;
  many[10] = many[11] = 0xff;  // more tags than the data hold
  many[25] = 0;                // no orientation tag
  CHECK(exif_orientation(many) == 1);
}
