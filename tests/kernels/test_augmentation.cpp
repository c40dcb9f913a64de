#include "kernels/augmentation.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

using namespace minception;

TEST_CASE("draw_crop_and_flip: offsets and flip follow from the random bits of the sample") {
  const Random random{0x123456789abcdefu, std::uint64_t{5} << 32 | 17};
  for (const std::uint64_t sample :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{49999}, std::uint64_t{1} << 40}) {
    const CropAndFlip drawn = draw_crop_and_flip(random, sample, 4, 2, true);
    CHECK(drawn.down == static_cast<int>(random.bits(4 * sample) % 9) - 4);
    CHECK(drawn.right == static_cast<int>(random.bits(4 * sample + 1) % 5) - 2);
    CHECK(drawn.mirrored == (random.bits(4 * sample + 2) % 2 == 1));
    const CropAndFlip straight = draw_crop_and_flip(random, sample, 4, 2, false);
    CHECK((straight.down == drawn.down && straight.right == drawn.right && !straight.mirrored));
    const CropAndFlip in_place = draw_crop_and_flip(random, sample, 0, 0, true);
    CHECK((in_place.down == 0 && in_place.right == 0 && in_place.mirrored == drawn.mirrored));
  }
}

TEST_CASE("draw_crop_and_flip: offsets are uniform and half of the images are flipped") {
  constexpr int kSamples = 45000;
  std::map<std::pair<int, int>, int> seen;
  int flipped = 0;
  for (std::uint64_t sample = 0; sample < kSamples; ++sample) {
    const CropAndFlip drawn = draw_crop_and_flip(Random{3, 1}, sample, 1, 2, true);
    ++seen[{drawn.down, drawn.right}];
    flipped += drawn.mirrored ? 1 : 0;
  }
  CHECK(seen.size() == 3 * 5);
  // Six standard deviations of a binomial count.
  for (const auto& [offset, count] : seen) {
    INFO(offset.first << " " << offset.second);
    CHECK(count == Approx(kSamples / 15).margin(6 * 53));
  }
  CHECK(flipped == Approx(kSamples / 2).margin(6 * 106));
}

TEST_CASE("CropAndFlip: row and column of the input pixel") {
  const CropAndFlip moved{-1, 2, false};
  CHECK((moved.row(0) == -1 && moved.column(0, 10) == 2));
  const CropAndFlip mirrored{3, -2, true};
  CHECK((mirrored.row(4) == 7 && mirrored.column(0, 10) == 7 && mirrored.column(9, 10) == -2));
  CHECK((CropAndFlip{}.row(5) == 5 && CropAndFlip{}.column(6, 10) == 6));
}

TEST_CASE("draw_resized_crop: boxes follow from the random bits of the sample and lie inside the image") {
  const Random random{0x123456789abcdefu, std::uint64_t{5} << 32 | 17};
  for (std::uint64_t sample = 0; sample < 2000; ++sample) {
    const Box box = draw_resized_crop(random, sample, 60, 90, 0.08, 4.0 / 3.0);
    const double area = (0.08 + 0.92 * random.uniform(4 * sample)) * 60.0 * 90.0;
    const double q = 1.0 + random.uniform(4 * sample + 1) / 3.0;
    const double aspect = random.bits(4 * sample + 1) % 2 == 1 ? 1.0 / q : q;
    const double height = std::sqrt(area / aspect), width = std::sqrt(area * aspect);
    INFO(sample << ": " << height << " x " << width);
    CHECK(std::abs(box.height - std::min(height, 60.0)) <= 0.5 + 1e-6);
    CHECK(std::abs(box.width - std::min(width, 90.0)) <= 0.5 + 1e-6);
    CHECK(box.top == static_cast<int>(random.bits(4 * sample + 2) % static_cast<unsigned>(61 - box.height)));
    CHECK(box.left == static_cast<int>(random.bits(4 * sample + 3) % static_cast<unsigned>(91 - box.width)));
    CHECK((box.top >= 0 && box.left >= 0 && box.top + box.height <= 60 && box.left + box.width <= 90));
  }
  const Box whole = draw_resized_crop(random, 3, 7, 5, 1.0, 1.0);
  CHECK((whole.height <= 7 && whole.width == 5));
  const Box one = draw_resized_crop(random, 3, 1, 1, 1e-9, 100.0);
  CHECK((one.top == 0 && one.left == 0 && one.height == 1 && one.width == 1));
}

TEST_CASE("draw_resized_crop: multiply-adds are rounded once on every processor") {
  // With ratio 1, a square has the side sqrt(area), rounded. For an area scale + (1 - scale) * u that lies within a few
  // units in the last place of a tie, it depends on whether the product is rounded before the sum.
  constexpr int kSize = 8;
  int ties = 0, distinguished = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    const Random random{3, 1};
    const double u = random.uniform(4 * sample);
    for (int side = 1; side < kSize; ++side) {
      const double area = (side + 0.5) * (side + 0.5) / (kSize * kSize);
      double scale = (area - u) / (1.0 - u);
      if (!(scale > 0.0 && scale < 1.0)) continue;
      for (int i = 0; i < 8; ++i) scale = std::nextafter(scale, 0.0);
      for (int i = 0; i < 16; ++i, scale = std::nextafter(scale, 1.0), ++ties) {
        const auto side_of = [](double fraction) {
          return static_cast<int>(std::sqrt(fraction * kSize * kSize) + 0.5);
        };
        const volatile double product = (1.0 - scale) * u;  // not fused
        const int once = side_of(std::fma(1.0 - scale, u, scale)), twice = side_of(scale + product);
        const Box box = draw_resized_crop(random, sample, kSize, kSize, scale, 1.0);
        CHECK((box.height == once && box.width == once));
        distinguished += once != twice ? 1 : 0;
      }
    }
  }
  INFO(ties << " near ties, " << distinguished << " depend on the rounding");
  CHECK(distinguished >= 10);
}

TEST_CASE("draw_resized_crop: mean area and share of wide boxes") {
  constexpr int kSamples = 20000;
  double area = 0.0;
  int wide = 0;
  for (std::uint64_t sample = 0; sample < kSamples; ++sample) {
    const Box box = draw_resized_crop(Random{3, 1}, sample, 1000, 1000, 0.08, 4.0 / 3.0);
    area += static_cast<double>(box.height) * box.width / 1e6;
    wide += box.width > box.height ? 1 : 0;
    CHECK(box.height * box.width >= 79000);
  }
  CHECK(wide == Approx(kSamples / 2).margin(6 * 71));
  // Sides longer than the image are cut: the mean area lies between 0.5 and 0.54, the mean without cuts.
  CHECK(area / kSamples < 0.54);
  CHECK(area / kSamples > 0.5);
}

TEST_CASE("draw_colour_jitter: factors and changed colours by hand") {
  const Random random{9, 2};
  const ColourJitter drawn = draw_colour_jitter(random, 21, 0.25f, 0.5f, 1.0f);
  CHECK(drawn.brightness == Approx(1.0 + 0.25 * (2.0 * random.uniform(84) - 1.0)));
  CHECK(drawn.contrast == Approx(1.0 + 0.5 * (2.0 * random.uniform(85) - 1.0)));
  CHECK(drawn.saturation == Approx(2.0 * random.uniform(86)));
  CHECK(drawn.changes());
  CHECK(!draw_colour_jitter(random, 21, 0.0f, 0.0f, 0.0f).changes());

  CHECK(ColourJitter::grey(255.0, 255.0, 255.0) == Approx(255.0));
  CHECK(ColourJitter::grey(100.0, 0.0, 0.0) == Approx(29.9));
  CHECK(ColourJitter::grey(0.0, 100.0, 0.0) == Approx(58.7));
  const ColourJitter colour = {0.5f, 2.0f, 0.25f};
  // 200 * 0.5 = 100, (100 - 127.5) * 2 + 127.5 = 72.5; grey 160 * 0.5 = 80, then 32.5; 32.5 + 0.25 * 40.
  CHECK(colour.of(200.0, 160.0) == Approx(42.5));
  CHECK((ColourJitter{0.5f, 2.0f, 1.0f}.of(200.0, 160.0)) == Approx(72.5));
  CHECK((ColourJitter{1.5f, 1.0f, 1.0f}.of(200.0, 0.0)) == 255.0);
  CHECK((ColourJitter{1.0f, 1.5f, 1.0f}.of(10.0, 0.0)) == 0.0);
}

TEST_CASE("Augmentation draw: one stream per kind and identity for disabled kinds") {
  const std::int64_t position[] = {6, 70};
  Augmentation augmentation = {.seed = 11, .stream = 3};
  const auto stream = [](std::uint64_t part) { return Random{11, (3 + part) << 32 | 6}; };
  DrawnAugmentation drawn = augmentation.draw(position, 2, 20, 30);
  CHECK((drawn.box.top == 0 && drawn.box.left == 0 && drawn.box.height == 20 && drawn.box.width == 30));
  CHECK((!drawn.moved.mirrored && !drawn.colour.changes()));
  augmentation.scale = 0.1;
  augmentation.contrast = 0.5;
  drawn = augmentation.draw(position, 2, 20, 30);
  const Box box = draw_resized_crop(stream(1), 72, 20, 30, 0.1, 1.0);
  CHECK((drawn.box.top == box.top && drawn.box.left == box.left && drawn.box.height == box.height &&
         drawn.box.width == box.width));
  CHECK(drawn.colour.contrast == draw_colour_jitter(stream(2), 72, 0.0f, 0.5f, 0.0f).contrast);
  CHECK(drawn.colour.brightness == 1.0f);
  CHECK(Augmentation().draw(nullptr, 2, 20, 30).box.height == 20);
}
