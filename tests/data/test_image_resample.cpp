/// Comparison with PIL 9.4.0. The expected pixels are the output of this command, for the sizes and channels of the
/// case:
///   python3 -c 'import numpy as np; from PIL import Image; H, W, C, h, w = 7, 9, 1, 3, 4
///   y, x, c = np.meshgrid(range(H), range(W), range(C), indexing="ij")
///   a = ((x * 37 + y * 101 + c * 53 + x * y * 7) % 256).astype(np.uint8).squeeze()
///   print(*np.asarray(Image.fromarray(a).resize((w, h), Image.BILINEAR)).ravel(), sep=", ")'

#include "tests/data/image_files.h"

using namespace minception;
using namespace minception::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes resized(std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t new_height,
              std::int64_t new_width) {
  const DecodedImage image = resized_to(pattern_image(channels, height, width), new_height, new_width);
  CHECK(image.shape == Shape{channels, new_height, new_width});
  return image.pixels;
}

}  // namespace

TEST_CASE("resized_to shrinks images like PIL") {
  CHECK(resized(1, 7, 9, 3, 4) == Bytes{111, 132, 136, 114, 137, 128, 128, 153, 153, 133, 135, 143});
  CHECK(resized(1, 8, 8, 4, 4) == Bytes{97, 132, 129, 127, 145, 133, 126, 143, 147, 126, 123, 136, 133, 143, 126, 125});
  CHECK(resized(3, 6, 7, 4, 2) == Bytes{94,  132, 160, 139, 143, 141, 152, 143, 128, 140, 145, 110,
                                        127, 122, 125, 120, 118, 124, 137, 100, 147, 119, 117, 112});
  CHECK(resized(1, 28, 28, 5, 3) == Bytes{131, 132, 127, 127, 127, 127, 116, 124, 115, 125, 124, 123, 126, 128, 130});
  CHECK(resized(1, 5, 5, 1, 1) == Bytes{125});
  CHECK(resized(1, 9, 10, 8, 9) == Bytes{20,  62,  104, 129, 148, 190, 83,  55,  96,  133, 168, 168, 140, 76,  126,
                                         132, 162, 212, 155, 175, 105, 127, 133, 190, 135, 141, 122, 101, 141, 119,
                                         128, 112, 110, 130, 197, 142, 194, 121, 107, 125, 117, 124, 151, 118, 161,
                                         147, 153, 183, 116, 147, 132, 148, 162, 81,  155, 82,  153, 122, 101, 155,
                                         90,  120, 157, 71,  138, 169, 105, 183, 155, 139, 59,  110});
}

TEST_CASE("resized_to resizes each axis independently") {
  CHECK(resized(1, 5, 11, 5, 3) == Bytes{61, 141, 75, 152, 109, 161, 155, 157, 137, 121, 125, 151, 124, 123, 127});
  CHECK(resized(1, 11, 4, 2, 4) == Bytes{123, 146, 115, 155, 145, 129, 159, 128});
  const DecodedImage image = pattern_image(3, 5, 11);
  const DecodedImage same = resized_to(image, 5, 11);
  CHECK(same.shape == image.shape);
  CHECK(same.pixels == image.pixels);
}

TEST_CASE("resized_to enlarges images like PIL even if the other axis shrinks") {
  CHECK(resized(1, 3, 4, 5, 7) == Bytes{0,   13,  34,  56,  77,  98,  111, 40,  55,  77,  100, 123,
                                        146, 160, 101, 117, 142, 167, 192, 217, 233, 162, 179, 206,
                                        157, 108, 135, 153, 202, 220, 249, 151, 52,  81,  99});
  CHECK(resized(3, 2, 3, 4, 5) == Bytes{0,   53,  106, 15,  68,  121, 37,  90,  143, 59,  112, 165, 74,  127, 180,
                                        25,  78,  131, 41,  94,  147, 64,  117, 170, 87,  140, 155, 103, 156, 145,
                                        76,  129, 182, 93,  146, 199, 118, 171, 224, 143, 196, 134, 160, 213, 74,
                                        101, 154, 207, 119, 172, 225, 145, 198, 251, 171, 224, 124, 189, 242, 39});
  CHECK(resized(1, 5, 11, 8, 3) == Bytes{61,  141, 75,  101, 127, 113, 152, 112, 160, 154, 142, 145,
                                         144, 147, 141, 123, 127, 150, 123, 124, 138, 124, 123, 127});
  CHECK(resized(1, 1, 1, 2, 3) == Bytes(6, 0));
  CHECK(resized(3, 7, 2, 3, 5) == Bytes{87,  140, 138, 91,  138, 142, 108, 134, 160, 125, 129, 177, 130, 128, 181,
                                        122, 160, 153, 127, 154, 153, 144, 129, 152, 161, 104, 151, 165, 98,  151,
                                        172, 115, 168, 168, 117, 161, 154, 125, 132, 139, 132, 103, 135, 133, 95});

  // Many sizes. The expected values are pixel sums from PIL, in the order of these loops.
  std::int64_t sum = 0, weighted = 0, place = 0;
  for (std::int64_t height = 1; height < 13; ++height) {
    for (std::int64_t width : {1, 2, 3, 5, 8, 13, 21}) {
      for (std::int64_t new_height : {1, 2, 3, 7, 12, 20}) {
        for (std::int64_t new_width : {1, 4, 9, 30}) {
          for (std::uint8_t value : resized(1, height, width, new_height, new_width)) {
            sum += value;
            weighted += value * (place++ % 251);
          }
        }
      }
    }
  }
  CHECK(place == 166320);
  CHECK(sum == 19731867);
  CHECK(weighted == 2464147009);
}

TEST_CASE("resized_to keeps an image of one colour constant") {
  for (const std::uint8_t value : Bytes{0, 1, 127, 254, 255}) {
    const DecodedImage image{Shape{1, 13, 31}, Bytes(13 * 31, value)};
    for (std::int64_t size = 1; size <= 30; ++size) {
      CAPTURE(int{value}, size);
      CHECK(resized_to(image, size, 2 * size).pixels == Bytes(static_cast<std::size_t>(size * 2 * size), value));
    }
  }
}

TEST_CASE("with_channels converts RGB to grey by BT.601 weights and grey to RGB by repetition") {
  // Expected: Image.fromarray(a).convert("L") of these pixels and of the pattern.
  const DecodedImage colours{Shape{3, 1, 6}, {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 1, 1, 1, 0, 0, 1}};
  const DecodedImage grey = with_channels(colours, 1);
  CHECK(grey.shape == Shape{1, 1, 6});
  CHECK(grey.pixels == Bytes{76, 150, 29, 255, 1, 0});
  CHECK(with_channels(pattern_image(3, 2, 6), 1).pixels.back() == 108);

  // All combinations of 18 levels. The expected sums are the output of
  //   a = np.stack(np.meshgrid(*[range(0, 256, 15)] * 3, indexing="ij"), -1).reshape(1, -1, 3).astype(np.uint8)
  //   L = np.asarray(Image.fromarray(a).convert("L")).ravel().astype(int)
  //   print(L.sum(), (L * (np.arange(len(L)) % 251)).sum())
  DecodedImage mixtures{Shape{3, 1, 18 * 18 * 18}, {}};
  for (int i = 0; i < 18 * 18 * 18; ++i) {
    for (int level : {i / 324, i / 18 % 18, i % 18}) mixtures.pixels.push_back(static_cast<std::uint8_t>(15 * level));
  }
  std::int64_t sum = 0, weighted = 0, place = 0;
  for (std::uint8_t value : with_channels(mixtures, 1).pixels) {
    sum += value;
    weighted += value * (place++ % 251);
  }
  CHECK(sum == 743580);
  CHECK(weighted == 92579994);

  const DecodedImage repeated = with_channels({Shape{1, 1, 2}, {7, 200}}, 3);
  CHECK(repeated.shape == Shape{3, 1, 2});
  CHECK(repeated.pixels == Bytes{7, 7, 7, 200, 200, 200});
  CHECK(with_channels(repeated, 3).pixels == repeated.pixels);
  CHECK(with_channels(grey, 1).pixels == grey.pixels);
}

TEST_CASE("with_channels and resized_to reject invalid images and sizes") {
  const DecodedImage image = pattern_image(1, 4, 4);
  CHECK(message_of([&] { resized_to(image, 0, 3); }) == "an image cannot have the size 0x3: both must be 1 or more");
  CHECK(message_of([&] { resized_to(image, 3, -1); }) == "an image cannot have the size 3x-1: both must be 1 or more");
  CHECK(message_of([&] { with_channels(image, 2); }) == "an image cannot have 2 channels; use 1 (grey) or 3 (RGB)");
  CHECK(message_of([&] {
          with_channels({Shape{4, 1, 1}, {1, 2, 3, 4}}, 3);
        }) == "an image of shape [4,1,1] is neither grey nor RGB: (C, H, W) with C 1 or 3 is needed");
  CHECK(message_of([&] { resized_to({Shape{1, 2, 2}, {1, 2, 3}}, 1, 1); }) == "an image of [1,2,2] has 4 bytes, not 3");
}
