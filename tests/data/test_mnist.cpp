#include "data/mnist.h"
#include "data/registry.h"
#include "tests/data/idx_files.h"

#include "tests/catch.h"

#include <string>

using namespace minception;
using namespace minception::testing;

namespace {

/// A data set of 3 + 2 images of 2x3, with each variant of the file names once.
void write_small(const TemporaryFolder& folder) {
  write_file(folder / "train-images-idx3-ubyte", idx_images(3, 2, 3, counted(18)));
  write_file(folder / "train-labels.idx1-ubyte", idx_labels(3, {7, 0, 9}));
  write_file(folder / "t10k-images-idx3-ubyte.gz", gzipped(idx_images(2, 2, 3, counted(12))));
  write_file(folder / "t10k-labels.idx1-ubyte.gz", gzipped(idx_labels(2, {1, 2})));
}

std::string message_for(const std::filesystem::path& dir) {
  const std::string message = message_of([&] { load_mnist(dir); });
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

}  // namespace

TEST_CASE("load_mnist accepts all variants of the file names") {
  const TemporaryFolder folder;
  write_small(folder);
  const Dataset dataset = load_mnist(folder.path());
  CHECK(dataset.name == "mnist");
  CHECK(dataset.train.image == Shape{1, 2, 3});
  CHECK(dataset.train.labels == std::vector<std::int32_t>{7, 0, 9});
  CHECK(dataset.test.labels == std::vector<std::int32_t>{1, 2});
  CHECK(dataset.train.pixels.size() == 18);
  CHECK(dataset.train.pixels[17] == 17 * 7);
  CHECK(dataset.test.pixels.size() == 12);
  const std::vector<std::string> digits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  CHECK(dataset.train.class_names == digits);
  CHECK(dataset.test.class_names == digits);
}

TEST_CASE("load_mnist prefers published names to names with a dot and plain to compressed files") {
  const TemporaryFolder folder;
  write_small(folder);
  write_file(folder / "train-labels.idx1-ubyte.gz", gzipped(idx_labels(3, {1, 1, 1})));
  CHECK(load_mnist(folder.path()).train.labels == std::vector<std::int32_t>{7, 0, 9});
  write_file(folder / "train-labels-idx1-ubyte.gz", gzipped(idx_labels(3, {2, 2, 2})));
  CHECK(load_mnist(folder.path()).train.labels == std::vector<std::int32_t>{2, 2, 2});
}

TEST_CASE("a missing folder or file of MNIST is named and the error explains how to get it") {
  const TemporaryFolder folder;
  const std::string way =
      "; put the four files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
      "t10k-labels-idx1-ubyte.gz from https://ossci-datasets.s3.amazonaws.com/mnist/ into a folder (no Debian package "
      "has "
      "them); pass their folder as dir";
  CHECK(message_for(folder / "absent") == (folder / "absent").string() + ": no such folder" + way);
  for (const std::string name : {"train-images-idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images-idx3-ubyte.gz",
                                 "t10k-labels.idx1-ubyte.gz"}) {
    write_small(folder);
    std::filesystem::remove(folder / name);
    std::string published = name.substr(0, name.find(".gz"));
    if (const std::size_t dot = published.find('.'); dot != std::string::npos) published[dot] = '-';
    CHECK(message_for(folder.path()) ==
          folder.path().string() + ": neither " + published + " nor " + published + ".gz exists" + way);
  }
}

TEST_CASE("other and truncated MNIST files are rejected with their names") {
  const TemporaryFolder folder;
  write_small(folder);
  write_file(folder / "train-labels.idx1-ubyte", idx_images(3, 2, 3, counted(18)));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("train-labels.idx1-ubyte: magic number 0x00000803"));
  write_small(folder);
  write_file(folder / "train-images-idx3-ubyte", idx_images(3, 2, 3, counted(17)));
  CHECK_THAT(message_for(folder.path()),
             Catch::Contains("train-images-idx3-ubyte: the header declares 18 bytes of data") &&
                 Catch::Contains("the file is truncated"));
  write_small(folder);
  const std::string whole = gzipped(idx_labels(2, {1, 2}));
  write_file(folder / "t10k-labels.idx1-ubyte.gz", whole.substr(0, whole.size() - 4));
  CHECK_THAT(message_for(folder.path()),
             Catch::Contains("t10k-labels.idx1-ubyte.gz: ") && Catch::Contains("truncated"));
}

TEST_CASE("MNIST files that do not match and labels above 9 are rejected") {
  const TemporaryFolder folder;
  write_small(folder);
  write_file(folder / "train-labels.idx1-ubyte", idx_labels(2, {7, 0}));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("holds 3 images but") && Catch::Contains("holds 2 labels"));
  write_small(folder);
  write_file(folder / "train-images-idx3-ubyte", idx_images(3, 3, 2, counted(18)));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("[1,3,2], but the test images are [1,2,3]"));
  write_small(folder);
  write_file(folder / "train-labels.idx1-ubyte", idx_labels(3, {7, 0, 10}));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("label 10 at index 2: the classes are 0 to 9"));
}

TEST_CASE("load_dataset reads MNIST and the error without a folder explains how to get it") {
  const TemporaryFolder folder;
  write_small(folder);
  CHECK(load_dataset("mnist", folder.path()).train.size() == 3);
  CHECK(default_data_dir("mnist") == "/usr/share/datasets/mnist");
  if (!std::filesystem::exists(default_data_dir("mnist"))) {
    CHECK_THAT(message_of([] { load_dataset("mnist"); }),
               Catch::StartsWith("/usr/share/datasets/mnist: no such folder; ") &&
                   Catch::EndsWith("; pass their folder as dir"));
  }
}
