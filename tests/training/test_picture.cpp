/// Heat maps, tiles and filters as pictures.

#include "models/weights.h"
#include "training/report/picture.h"

#include "tests/catch.h"

#include <algorithm>
#include <array>
#include <numeric>

using namespace minception;

namespace {

DecodedImage grey_image(std::int64_t height, std::int64_t width, std::uint8_t value) {
  return {{1, height, width}, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width), value)};
}

std::array<int, 3> pixel(const DecodedImage& image, std::int64_t y, std::int64_t x) {
  const auto at = static_cast<std::size_t>((y * image.shape[2] + x) * 3);
  return {image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]};
}

int light(const DecodedImage& image, std::int64_t y, std::int64_t x) {
  const std::array<int, 3> p = pixel(image, y, x);
  return p[0] + p[1] + p[2];
}

}  // namespace

TEST_CASE("heat_map: brighter where the map is larger, and as large as asked") {
  const std::vector<float> map = {0.0f, 1.0f, 2.0f, -5.0f};  // 2x2
  const DecodedImage picture = report::heat_map(grey_image(8, 8, 100), map, 2, 2, 2.0f, 64);
  REQUIRE(picture.shape == Shape{3, 64, 64});
  const int top_left = light(picture, 2, 2), top_right = light(picture, 2, 61), bottom_left = light(picture, 61, 2);
  CHECK(top_left < top_right);
  CHECK(top_right < bottom_left);
  CHECK(light(picture, 61, 61) == top_left);  // values below 0 are dark, too
  CHECK(light(picture, 2, 31) > top_left);    // linear between the positions
  CHECK(light(picture, 2, 31) < top_right);
}

TEST_CASE("heat_map: the image stays visible, and a map without positive values is dark") {
  DecodedImage image = grey_image(4, 4, 0);
  image.pixels[5] = 255;
  const DecodedImage picture = report::heat_map(image, std::vector<float>{-1.0f}, 1, 1, -1.0f, 4);
  CHECK(light(picture, 1, 1) > light(picture, 0, 0) + 100);
}

TEST_CASE("enlarged: by a whole factor, without interpolation") {
  DecodedImage image = grey_image(3, 5, 0);
  image.pixels[7] = 200;  // (1, 2)
  const DecodedImage large = report::enlarged(image, 17);
  REQUIRE(large.shape == Shape{1, 9, 15});
  for (std::int64_t y = 0; y < 9; ++y) {
    for (std::int64_t x = 0; x < 15; ++x) {
      CHECK(large.pixels[static_cast<std::size_t>(y * 15 + x)] == (y / 3 == 1 && x / 3 == 2 ? 200 : 0));
    }
  }
  CHECK(report::enlarged(grey_image(300, 20, 1), 256).shape == Shape{1, 300, 20});
}

TEST_CASE("tiles: the maps of most contrast first, each from its lowest to its highest value") {
  const Maps maps = {3, 1, 2, {0.0f, 1.0f, 5.0f, 7.0f, 20.0f, 20.0f}};
  const DecodedImage two = report::tiles(maps, 2);
  REQUIRE(two.shape[1] == 32);
  REQUIRE(two.shape[2] == 64 + 3 + 64);
  CHECK(light(two, 0, 0) < light(two, 0, 63));  // (5, 7)
  CHECK(pixel(two, 0, 64) == std::array<int, 3>{255, 255, 255});
  CHECK(light(two, 0, 67) < light(two, 0, 130));  // (0, 1)
  const DecodedImage three = report::tiles(maps, 3);
  CHECK(pixel(three, 0, 134) == pixel(three, 31, 197));  // (20, 20), constant
  CHECK(report::tiles(maps, 3, 2).shape == Shape{3, 32 + 3 + 32, 64 + 3 + 64});
  CHECK(report::tiles(maps, 3, 1).shape == Shape{3, 3 * 32 + 2 * 3, 64});
  CHECK(report::tiles(maps, 10).shape[2] == 3 * 64 + 2 * 3);
}

TEST_CASE("filters: grey is 0, each filter has a scale of its own, three channels are colours") {
  // Two filters of 3 channels and 1x1: red, and a weak dark blue.
  const std::vector<double> values = {2.0, 0.0, 0.0, 0.0, 0.0, -0.01};
  const DecodedImage picture = report::filters(to_file_tensor(values, {2, 3, 1, 1}, DType::f32));
  CHECK(pixel(picture, 0, 0) == std::array<int, 3>{255, 128, 128});
  CHECK(pixel(picture, 0, 45) == std::array<int, 3>{128, 128, 0});
  CHECK(report::filters(to_file_tensor(values, {2, 3, 1, 1}, DType::f32), 1).shape == Shape{3, 42, 42});
  // Other numbers of channels: their mean.
  const DecodedImage mean =
      report::filters(to_file_tensor(std::vector<double>{1.0, 3.0, 0.0, -4.0}, {1, 2, 1, 2}, DType::f32));
  CHECK(pixel(mean, 0, 0) == std::array<int, 3>{255, 255, 255});
  CHECK(pixel(mean, 0, mean.shape[2] - 1)[0] < 128);
}
