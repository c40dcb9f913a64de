#include "data/subset.h"
#include "tests/data/idx_files.h"

#include "tests/catch.h"

using namespace minception;
using namespace minception::testing;

namespace {

/// Images of 1x2 with pixels {index, 100 + index}.
ImageDataset numbered(std::vector<std::int32_t> labels) {
  ImageDataset dataset = {
      .image = {1, 1, 2}, .pixels = {}, .labels = std::move(labels), .class_names = {"a", "b", "c", "d"}};
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    dataset.pixels.push_back(static_cast<std::uint8_t>(i));
    dataset.pixels.push_back(static_cast<std::uint8_t>(100 + i));
  }
  return dataset;
}

using Labels = std::vector<std::int32_t>;
using Pixels = std::vector<std::uint8_t>;

}  // namespace

/// Moves `count` training images to validation.
void hold_out(Dataset& dataset, std::int64_t count) {
  keep_selected(dataset, {.hold_out = count}, dataset.train.size(), dataset.test.size());
}

TEST_CASE("hold_out takes evenly spaced images out of the training images") {
  Dataset dataset = {.name = "numbers", .train = numbered({0, 0, 1, 1, 2, 2, 3, 3}), .test = numbered({3})};
  SECTION("every second") {
    hold_out(dataset, 4);
    CHECK(dataset.validation.labels == Labels{0, 1, 2, 3});
    CHECK(dataset.validation.pixels == Pixels{1, 101, 3, 103, 5, 105, 7, 107});
    CHECK(dataset.train.labels == Labels{0, 1, 2, 3});
    CHECK(dataset.train.pixels == Pixels{0, 100, 2, 102, 4, 104, 6, 106});
  }
  SECTION("three of eight") {
    hold_out(dataset, 3);
    CHECK(dataset.validation.pixels == Pixels{2, 102, 5, 105, 7, 107});
    CHECK(dataset.train.size() == 5);
  }
  SECTION("one, and all but one") {
    const std::int64_t count = GENERATE(1, 7);
    hold_out(dataset, count);
    CHECK(dataset.validation.size() == count);
    CHECK(dataset.train.size() == 8 - count);
  }
  CHECK(dataset.train.image == Shape{1, 1, 2});
  CHECK(dataset.validation.class_names == dataset.train.class_names);
  CHECK(dataset.test.labels == Labels{3});
}

TEST_CASE("an invalid hold_out is rejected and leaves the data set unchanged") {
  Dataset dataset = {.name = "numbers", .train = numbered({0, 1, 2}), .test = numbered({3})};
  for (const std::int64_t count : {3, 4}) {
    CHECK(message_of([&] { hold_out(dataset, count); }) ==
          concat("hold_out = ", count, ": there are 3 training images; hold out 1 to 2"));
  }
  CHECK(message_of([&] { hold_out(dataset, -1); }) == "hold_out = -1: must be 0 or more");
  CHECK(dataset.train.size() == 3);
  CHECK(dataset.test.size() == 1);
}

TEST_CASE("validation_fraction is rounded and keeps at least one image on both sides") {
  for (const auto& [fraction, expected] :
       std::vector<std::pair<double, std::size_t>>{{0.0, 0}, {0.01, 1}, {0.2, 2}, {0.25, 3}, {0.99, 9}}) {
    const SelectedSamples selected = select({.validation_fraction = fraction}, 10, 4);
    CHECK(selected.validation.size() == expected);
    CHECK(selected.train.size() == 10 - expected);
    CHECK(selected.test.size() == 4);
  }
  CHECK_THAT(message_of([] { select({.validation_fraction = 0.5}, 1, 1); }),
             Catch::Contains("validation_fraction = 0.5: there are only 1 training images"));
}

TEST_CASE("keep_classes assigns labels in the given order") {
  const ImageDataset kept = keep_classes(numbered({0, 3, 1, 3, 2}), Labels{3, 1});
  CHECK(kept.labels == Labels{0, 1, 0});
  CHECK(kept.pixels == Pixels{1, 101, 2, 102, 3, 103});
  CHECK(kept.class_names == std::vector<std::string>{"d", "b"});
  CHECK(kept.image == Shape{1, 1, 2});
}

TEST_CASE("keep_classes rejects unknown and repeated classes") {
  const ImageDataset dataset = numbered({0, 1});
  CHECK_THAT(message_of([&] {
               keep_classes(dataset, Labels{0, 4});
             }),
             Catch::Contains("class 4 does not exist") && Catch::Contains("0 to 3"));
  CHECK_THAT(message_of([&] { keep_classes(dataset, Labels{-1}); }), Catch::Contains("class -1 does not exist"));
  CHECK_THAT(message_of([&] { keep_classes(dataset, Labels{2, 2}); }), Catch::Contains("class 2 is named twice"));
  CHECK_THAT(message_of([&] { keep_classes(dataset, Labels{}); }), Catch::Contains("no class was given"));
}

TEST_CASE("keep_per_class keeps the first images of each class in their order") {
  const ImageDataset dataset = numbered({0, 3, 1, 3, 2, 0, 1, 2, 1});
  const ImageDataset kept = keep_per_class(dataset, 1);
  CHECK(kept.labels == Labels{0, 3, 1, 2});
  CHECK(kept.pixels == Pixels{0, 100, 1, 101, 2, 102, 4, 104});
  CHECK(kept.class_names == dataset.class_names);
  CHECK(keep_per_class(dataset, 2).labels == Labels{0, 3, 1, 3, 2, 0, 1, 2});
  CHECK_THAT(message_of([&] { keep_per_class(dataset, 3); }), Catch::Contains("a has 2"));
  CHECK_THAT(message_of([&] { keep_per_class(dataset, 0); }), Catch::Contains("keep at least 1"));
}
