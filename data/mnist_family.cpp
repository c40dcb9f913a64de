#include "data/mnist_family.h"
#include "core/error.h"
#include "data/idx.h"

#include <string>
#include <system_error>
#include <utility>

namespace minception {
namespace {

std::filesystem::path find(const MnistFamily& family, const std::filesystem::path& dir, const std::string& prefix,
                           const std::string& suffix) {
  for (const char* joint : {"-", "."}) {  // published name, then the name that some unpackers create
    for (const char* ending : {"", ".gz"}) {
      std::filesystem::path path = dir / (prefix + joint + suffix + ending);
      std::error_code error;
      if (std::filesystem::is_regular_file(path, error)) return path;
    }
  }
  const std::string name = prefix + "-" + suffix;
  fail(dir.string(), ": neither ", name, " nor ", name, ".gz exists; ", family.how_to_get, "; pass their folder as ",
       Field{"dir"});
}

/// Files of a part and the number of images according to their headers.
struct Part {
  std::filesystem::path images, labels;
  std::int64_t count = 0;
};

Part find_part(const MnistFamily& family, const std::filesystem::path& dir, const std::string& part_name) {
  Part part = {.images = find(family, dir, part_name + "-images", "idx3-ubyte"),
               .labels = find(family, dir, part_name + "-labels", "idx1-ubyte")};
  part.count = read_idx_images(part.images, 0).count;
  const std::int64_t label_count = count_idx_labels(part.labels);
  require(part.count == label_count, part.images.string(), " holds ", part.count, " images but ", part.labels.string(),
          " holds ", label_count, " labels; take both from the same data set");
  return part;
}

ImageDataset load_part(const MnistFamily& family, const Part& files, std::int64_t count) {
  IdxImages images = read_idx_images(files.images, count);
  const std::vector<std::uint8_t> labels = read_idx_labels(files.labels, count);
  for (std::size_t index = 0; index < labels.size(); ++index) {
    require(labels[index] < family.class_names.size(), files.labels.string(), ": label ", int{labels[index]},
            " at index ", index, ": the classes are 0 to ", family.class_names.size() - 1);
  }
  ImageDataset part;
  part.image = Shape{1, images.height, images.width};
  part.pixels = std::move(images.pixels);
  part.labels.assign(labels.begin(), labels.end());
  part.class_names.assign(family.class_names.begin(), family.class_names.end());
  return part;
}

}  // namespace

Dataset load_mnist_family(const MnistFamily& family, const std::filesystem::path& dir, const Selection& selection) {
  std::error_code error;
  require(std::filesystem::is_directory(dir, error), dir.string(), ": no such folder; ", family.how_to_get,
          "; pass their folder as ", Field{"dir"});
  const Part train = find_part(family, dir, "train"), test = find_part(family, dir, "t10k");
  Dataset dataset{.name = family.name,
                  .train = load_part(family, train, leading_train(selection, train.count)),
                  .test = load_part(family, test, leading_test(selection, test.count))};
  require(dataset.train.image == dataset.test.image, dir.string(), ": the training images are ", dataset.train.image,
          ", but the test images are ", dataset.test.image, "; take all four files from the same data set");
  keep_selected(dataset, selection, train.count, test.count);
  return dataset;
}

}  // namespace minception
