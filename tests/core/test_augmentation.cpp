#include <minception/core/augmentation.h>

#include <catch2/catch.hpp>

#include <cstdint>
#include <map>
#include <utility>

using namespace minception;

TEST_CASE("crops and flips are read off the random numbers of the sample") {
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

TEST_CASE("all crops are drawn equally often, and half of the images are flipped") {
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

TEST_CASE("a crop says where its pixels come from") {
  const CropAndFlip moved{-1, 2, false};
  CHECK((moved.row(0) == -1 && moved.column(0, 10) == 2));
  const CropAndFlip mirrored{3, -2, true};
  CHECK((mirrored.row(4) == 7 && mirrored.column(0, 10) == 7 && mirrored.column(9, 10) == -2));
  CHECK((CropAndFlip{}.row(5) == 5 && CropAndFlip{}.column(6, 10) == 6));
}
