#include "data/fashion_mnist.h"
#include "data/registry.h"
#include "tests/data/idx_files.h"

#include "tests/catch.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <string>

using namespace minception;
using namespace minception::testing;

namespace {

/// A data set of 4 + 2 images of 2x3; two files are plain, two compressed.
void write_small(const TemporaryFolder& folder) {
  write_file(folder / "train-images-idx3-ubyte", idx_images(4, 2, 3, counted(24)));
  write_file(folder / "train-labels-idx1-ubyte.gz", gzipped(idx_labels(4, {9, 0, 3, 3})));
  write_file(folder / "t10k-images-idx3-ubyte.gz", gzipped(idx_images(2, 2, 3, counted(12))));
  write_file(folder / "t10k-labels-idx1-ubyte", idx_labels(2, {1, 2}));
}

std::string message_for(const std::filesystem::path& dir) {
  return message_of([&] { load_fashion_mnist(dir); });
}

}  // namespace

TEST_CASE("load_fashion_mnist reads the four files") {
  const TemporaryFolder folder;
  write_small(folder);
  const Dataset dataset = load_fashion_mnist(folder.path());
  CHECK(dataset.name == "fashion-mnist");
  CHECK(dataset.train.size() == 4);
  CHECK(dataset.test.size() == 2);
  CHECK(dataset.train.image == Shape{1, 2, 3});
  CHECK(dataset.train.labels == std::vector<std::int32_t>{9, 0, 3, 3});
  CHECK(dataset.test.labels == std::vector<std::int32_t>{1, 2});
  CHECK(dataset.train.pixels.size() == 24);
  CHECK(dataset.train.pixels[23] == 23 * 7);
  CHECK(dataset.test.pixels.size() == 12);
  const std::vector<std::string> names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  CHECK(dataset.train.class_names == names);
  CHECK(dataset.test.class_names == names);
}

TEST_CASE("a missing folder or file of Fashion-MNIST is named and the error explains how to get it") {
  const TemporaryFolder folder;
  CHECK_THAT(message_for(folder / "absent"),
             Catch::Contains("absent: no such folder") && Catch::Contains("dataset-fashion-mnist"));
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                           "t10k-labels-idx1-ubyte"}) {
    write_small(folder);
    std::filesystem::remove(folder / name);
    const std::string plain = std::string(name).substr(0, std::string(name).find(".gz"));
    CHECK_THAT(message_for(folder.path()), Catch::Contains("neither " + plain + " nor " + plain + ".gz exists") &&
                                               Catch::Contains("/usr/share/datasets/fashion-mnist"));
  }
}

TEST_CASE("Fashion-MNIST files that do not match are rejected") {
  const TemporaryFolder folder;
  write_small(folder);
  write_file(folder / "t10k-labels-idx1-ubyte", idx_labels(3, {1, 2, 3}));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("holds 2 images but") && Catch::Contains("holds 3 labels"));
  write_small(folder);
  write_file(folder / "t10k-images-idx3-ubyte.gz", gzipped(idx_images(2, 3, 2, counted(12))));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("[1,2,3], but the test images are [1,3,2]"));
}

TEST_CASE("a label outside the classes is reported with its index") {
  const TemporaryFolder folder;
  write_small(folder);
  write_file(folder / "train-labels-idx1-ubyte.gz", gzipped(idx_labels(4, {9, 0, 10, 3})));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("label 10 at index 2: the classes are 0 to 9"));
}

TEST_CASE("load_dataset loads by name and uses the folder of the Debian package") {
  const TemporaryFolder folder;
  write_small(folder);
  CHECK(dataset_names() == std::vector<std::string>{"fashion-mnist", "mnist", "cifar10"});
  CHECK(load_dataset("fashion-mnist", folder.path()).train.size() == 4);
  CHECK(default_data_dir("fashion-mnist") == "/usr/share/datasets/fashion-mnist");
}

TEST_CASE("an unknown data set name is rejected with the known names") {
  CHECK_THAT(message_of([] { load_dataset("fashion_mnist"); }),
             Catch::Equals("unknown data set 'fashion_mnist'; use fashion-mnist, mnist, cifar10 or folder:PATH"));
  CHECK_THAT(message_of([] { default_data_dir(""); }), Catch::Contains("unknown data set ''"));
}

TEST_CASE("fashion-mnist: the installed files have 60000 and 10000 images with equal class counts") {
  const std::filesystem::path dir = default_data_dir("fashion-mnist");
  if (!std::filesystem::is_directory(dir)) SKIP(dir.string() + " is missing (Debian: dataset-fashion-mnist)");
  const Dataset dataset = load_dataset("fashion-mnist");
  const auto check = [](const ImageDataset& images, std::int64_t count) {
    CHECK(images.size() == count);
    CHECK(images.image == Shape{1, 28, 28});
    CHECK(images.pixels.size() == static_cast<std::size_t>(count) * 28 * 28);
    std::array<std::int64_t, 10> histogram{};
    for (std::int32_t label : images.labels) ++histogram.at(static_cast<std::size_t>(label));
    for (std::int64_t members : histogram) CHECK(members == count / 10);
  };
  check(dataset.train, 60000);
  check(dataset.test, 10000);
  // The usual normalisation mean, 0.2860 of the range; a wrong offset of the first image would change it.
  const double sum = std::accumulate(dataset.train.pixels.begin(), dataset.train.pixels.end(), 0.0);
  CHECK(std::abs(sum / static_cast<double>(dataset.train.pixels.size()) / 255.0 - 0.2860) <= 0.00005);
  CHECK(dataset.train.labels[0] == 9);  // an ankle boot
}
