#include <minception/core/error.h>
#include <minception/data/fashion_mnist.h>
#include <minception/data/idx.h>

#include <array>
#include <string>
#include <system_error>
#include <utility>

namespace minception {
namespace {

constexpr std::array kClassNames = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

constexpr const char* kHowToGet =
    "; Debian's package dataset-fashion-mnist installs the data set in /usr/share/datasets/fashion-mnist";

std::filesystem::path find(const std::filesystem::path& dir, const std::string& name) {
  for (const char* ending : {"", ".gz"}) {
    std::filesystem::path path = dir / (name + ending);
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return path;
  }
  fail(dir.string(), ": neither ", name, " nor ", name, ".gz is there", kHowToGet);
}

ImageDataset load_part(const std::filesystem::path& dir, const std::string& prefix) {
  const std::filesystem::path image_path = find(dir, prefix + "-images-idx3-ubyte");
  const std::filesystem::path label_path = find(dir, prefix + "-labels-idx1-ubyte");
  IdxImages images = read_idx_images(image_path);
  const std::vector<std::uint8_t> labels = read_idx_labels(label_path);
  const auto label_count = static_cast<std::int64_t>(labels.size());
  require(images.count == label_count, image_path.string(), " holds ", images.count, " images but ",
          label_path.string(), " holds ", label_count, " labels; take both from the same data set");
  for (std::size_t index = 0; index < labels.size(); ++index) {
    require(labels[index] < kClassNames.size(), label_path.string(), ": label ", int{labels[index]}, " at index ",
            index, ": the classes are 0 to ", kClassNames.size() - 1);
  }
  ImageDataset part;
  part.image = Shape{1, images.height, images.width};
  part.pixels = std::move(images.pixels);
  part.labels.assign(labels.begin(), labels.end());
  part.class_names.assign(kClassNames.begin(), kClassNames.end());
  return part;
}

}  // namespace

Dataset load_fashion_mnist(const std::filesystem::path& dir) {
  std::error_code error;
  require(std::filesystem::is_directory(dir, error), dir.string(), ": there is no such folder", kHowToGet);
  Dataset dataset{"fashion-mnist", load_part(dir, "train"), load_part(dir, "t10k")};
  require(dataset.train.image == dataset.test.image, dir.string(), ": the images for training are ",
          dataset.train.image, ", those for testing ", dataset.test.image,
          "; take all four files from the same data set");
  return dataset;
}

}  // namespace minception
