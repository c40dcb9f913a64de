/// A selection gives the same samples as reducing the whole data set, and does not read the rest.

#include "data/registry.h"
#include "tests/data/cifar10_files.h"
#include "tests/data/idx_files.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace minception;
using namespace minception::testing;

namespace {

namespace fs = std::filesystem;

void append(ImageDataset& to, const ImageDataset& from, std::int64_t index) {
  const auto bytes = from.image.elements();
  to.pixels.insert(to.pixels.end(), from.pixels.begin() + index * bytes, from.pixels.begin() + (index + 1) * bytes);
  to.labels.push_back(from.labels[static_cast<std::size_t>(index)]);
}

/// Reference: reduces the whole data set. `by_class`: hold out images evenly spaced over images sorted by class.
Dataset cut(const Dataset& dataset, const Selection& selection, bool by_class) {
  const std::int64_t n = dataset.train.size(), held = selection.hold_out;
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < n; ++i) order.push_back(i);
  if (by_class) {
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return dataset.train.labels[static_cast<std::size_t>(a)] < dataset.train.labels[static_cast<std::size_t>(b)];
    });
  }
  std::vector<bool> goes(static_cast<std::size_t>(n));
  for (std::int64_t k = 0; k < n; ++k) {
    goes[static_cast<std::size_t>(order[static_cast<std::size_t>(k)])] = (k + 1) * held / n > k * held / n;
  }
  const auto fill = [&](ImageDataset& part, const ImageDataset& from, std::vector<std::int64_t> indices,
                        std::int64_t limit) {
    std::map<std::int64_t, int> place;  // position in its class
    std::map<std::int32_t, int> seen;
    for (const std::int64_t i : indices) place[i] = seen[from.labels[static_cast<std::size_t>(i)]]++;
    if (by_class) {  // interleave the classes
      std::stable_sort(indices.begin(), indices.end(), [&](auto a, auto b) { return place[a] < place[b]; });
    }
    part = {.image = from.image, .pixels = {}, .labels = {}, .class_names = from.class_names};
    for (const std::int64_t i : indices) {
      if (limit == 0 || part.size() < limit) append(part, from, i);
    }
  };
  std::vector<std::int64_t> train, validation, test;
  for (const std::int64_t i : order) (goes[static_cast<std::size_t>(i)] ? validation : train).push_back(i);
  for (std::int64_t i = 0; i < dataset.test.size(); ++i) test.push_back(i);
  Dataset result;
  fill(result.train, dataset.train, train, selection.train);
  fill(result.validation, dataset.train, validation, selection.test);
  fill(result.test, dataset.test, test, selection.test);
  return result;
}

void check_same(const Dataset& a, const Dataset& b) {
  for (const auto& [x, y] : {std::pair{&a.train, &b.train}, {&a.validation, &b.validation}, {&a.test, &b.test}}) {
    CHECK(x->image == y->image);
    CHECK(x->pixels == y->pixels);
    CHECK(x->labels == y->labels);
    CHECK(x->class_names == y->class_names);
  }
}

const std::vector<Selection> kSelections = {{},
                                            {.train = 1},
                                            {.train = 7, .test = 2},
                                            {.test = 3},
                                            {.hold_out = 4},
                                            {.hold_out = 5, .train = 6, .test = 2},
                                            {.train = 15, .test = 3}};

/// MNIST files with 15 training and 3 test images, all different.
void write_mnist(const fs::path& folder) {
  fs::create_directories(folder);
  for (const auto& [name, count, first] : {std::tuple{"train", 15u, 0}, {"t10k", 3u, 100}}) {
    std::string pixels, labels;
    for (std::uint32_t i = 0; i < count; ++i) {
      pixels += std::string(6, static_cast<char>(first + static_cast<int>(i)));
      labels += static_cast<char>(i * 7 % 10);
    }
    write_file(folder / (std::string(name) + "-images-idx3-ubyte.gz"), gzipped(idx_images(count, 2, 3, pixels)));
    write_file(folder / (std::string(name) + "-labels-idx1-ubyte"), idx_labels(count, labels));
  }
}

std::string grey_file(int value) { return "P5 1 1 255\n" + std::string(1, static_cast<char>(value)); }

/// An image folder with 15 training images, interleaved by class, and 3 test images.
void write_folder(const fs::path& folder) {
  for (const char* part : {"train", "test"}) {
    for (const char* name : {"a", "b", "c"}) fs::create_directories(folder / part / name);
  }
  for (int i = 0; i < 15; ++i) {
    write_file(folder / "train" / std::string(1, static_cast<char>('a' + i % 3)) / std::to_string(i / 3),
               grey_file(10 * i));
  }
  for (int i = 0; i < 3; ++i) {
    write_file(folder / "test" / std::string(1, static_cast<char>('a' + i)) / "0", grey_file(200 + i));
  }
}

}  // namespace

TEST_CASE("a selection equals the reduced whole data set") {
  const TemporaryFolder folder;
  write_mnist(folder / "mnist");
  write_files(folder / "cifar", cifar10_binary());
  write_folder(folder / "images");
  for (const auto& [name, place] : {std::pair{"mnist", "mnist"}, {"cifar10", "cifar"}, {"folder", "images"}}) {
    const ImageFolderOptions options = {.size = {1, 1}};
    const Dataset whole = load_dataset(name, folder / place, options);
    REQUIRE(whole.train.size() == 15);
    REQUIRE(whole.test.size() == 3);
    for (const Selection& selection : kSelections) {
      INFO(place << ": hold out " << selection.hold_out << ", " << selection.train << " and " << selection.test);
      check_same(load_dataset(name, folder / place, options, selection),
                 cut(whole, selection, std::string(name) == "folder"));
    }
    const auto refusal = [&](const Selection& selection) {
      return message_of([&] { load_dataset(name, folder / place, options, selection); });
    };
    CHECK(refusal({.train = 16}) == "Selection::train = 16: there are only 15 images");
    CHECK(refusal({.hold_out = 5, .train = 11}) == "Selection::train = 11: there are only 10 images");
    CHECK(refusal({.test = 4}) == "Selection::test = 4: there are only 3 images");
    CHECK(refusal({.train = -1}) == "Selection::train = -1: must be 0 or more");
    CHECK(refusal({.test = -1}) == "Selection::test = -1: must be 0 or more");
    CHECK(refusal({.hold_out = -1}) == "hold_out = -1: must be 0 or more");
    CHECK(refusal({.hold_out = 15}) == "hold_out = 15: there are 15 training images; hold out 1 to 14");
    for (const double fraction : {20.0, -0.5, std::nan("")}) {
      CHECK(refusal({.validation_fraction = fraction}) ==
            concat("validation_fraction = ", fraction, ": must be 0 or more and below 1"));
    }
    CHECK_THAT(refusal({.hold_out = 2, .validation_fraction = 0.2}),
               Catch::StartsWith("validation_fraction and hold_out cannot be combined"));
  }
}

TEST_CASE("unselected images of a folder are not decoded") {
  const TemporaryFolder folder;
  write_folder(folder.path());
  std::int64_t decoded = 0;
  const ImageFolderOptions options = {.size = {1, 1}, .progress = [&](std::int64_t, std::int64_t) { ++decoded; }};
  const auto count = [&](const Selection& selection) {
    decoded = 0;
    load_image_folder(folder.path(), options, selection);
    return decoded;
  };
  CHECK(count({}) == 18);
  CHECK(count({.train = 5}) == 5 + 3);
  CHECK(count({.train = 5, .test = 1}) == 5 + 1);
  CHECK(count({.hold_out = 4}) == 11 + 4 + 3);
  CHECK(count({.hold_out = 4, .train = 2, .test = 2}) == 2 + 2 + 2);
  write_file(folder / "train/c/1", "no image");  // the sixth image
  CHECK(count({.train = 5}) == 8);
  CHECK_THAT(message_of([&] { count({.train = 6}); }), Catch::Contains("train/c/1: not an image of a known format"));
}

TEST_CASE("unselected images and labels of published data sets are not checked") {
  const TemporaryFolder folder;
  write_mnist(folder / "mnist");
  const fs::path labels = folder / "mnist/train-labels-idx1-ubyte";
  std::string content = read_file(labels);
  content[8 + 5] = 99;
  write_file(labels, content);
  CHECK(load_dataset("mnist", folder / "mnist", {}, {.train = 5}).train.size() == 5);
  CHECK_THAT(message_of([&] { load_dataset("mnist", folder / "mnist", {}, {.train = 6}); }),
             Catch::Contains("label 99 at index 5"));
  write_file(labels, content.substr(0, 8 + 5));
  CHECK(load_dataset("mnist", folder / "mnist", {}, {.train = 5}).train.size() == 5);
  CHECK_THAT(message_of([&] { load_dataset("mnist", folder / "mnist", {}, {.train = 6}); }),
             Catch::Contains("the file is truncated"));

  Files files = cifar10_binary();
  content_of(files, "data_batch_2.bin")[3073] = 10;  // the label of the fifth image
  write_files(folder / "cifar", files);
  CHECK(load_dataset("cifar10", folder / "cifar", {}, {.train = 4}).train.size() == 4);
  CHECK_THAT(message_of([&] { load_dataset("cifar10", folder / "cifar", {}, {.train = 5}); }),
             Catch::Contains("label 10 of image 1"));
}
