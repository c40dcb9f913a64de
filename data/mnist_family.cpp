#include <minception/core/error.h>
#include <minception/data/idx.h>
#include <minception/data/mnist_family.h>

#include <string>
#include <system_error>
#include <utility>

namespace minception {
namespace {

std::filesystem::path find(const MnistFamily& family, const std::filesystem::path& dir, const std::string& prefix,
                           const std::string& suffix) {
  for (const char* joint : {"-", "."}) {  // the name as published, and as it looks after some unpackers
    for (const char* ending : {"", ".gz"}) {
      std::filesystem::path path = dir / (prefix + joint + suffix + ending);
      std::error_code error;
      if (std::filesystem::is_regular_file(path, error)) return path;
    }
  }
  const std::string name = prefix + "-" + suffix;
  fail(dir.string(), ": neither ", name, " nor ", name, ".gz is there; ", family.how_to_get);
}

ImageDataset load_part(const MnistFamily& family, const std::filesystem::path& dir, const std::string& part_name) {
  const std::filesystem::path image_path = find(family, dir, part_name + "-images", "idx3-ubyte");
  const std::filesystem::path label_path = find(family, dir, part_name + "-labels", "idx1-ubyte");
  IdxImages images = read_idx_images(image_path);
  const std::vector<std::uint8_t> labels = read_idx_labels(label_path);
  const auto label_count = static_cast<std::int64_t>(labels.size());
  require(images.count == label_count, image_path.string(), " holds ", images.count, " images but ",
          label_path.string(), " holds ", label_count, " labels; take both from the same data set");
  for (std::size_t index = 0; index < labels.size(); ++index) {
    require(labels[index] < family.class_names.size(), label_path.string(), ": label ", int{labels[index]},
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

Dataset load_mnist_family(const MnistFamily& family, const std::filesystem::path& dir) {
  std::error_code error;
  require(std::filesystem::is_directory(dir, error), dir.string(), ": there is no such folder; ", family.how_to_get);
  Dataset dataset{family.name, load_part(family, dir, "train"), load_part(family, dir, "t10k")};
  require(dataset.train.image == dataset.test.image, dir.string(), ": the images for training are ",
          dataset.train.image, ", those for testing ", dataset.test.image,
          "; take all four files from the same data set");
  return dataset;
}

}  // namespace minception
