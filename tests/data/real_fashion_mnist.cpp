/// Reads the published files, where they are installed, and compares them with what their authors say about
/// them.

#include <minception/core/error.h>
#include <minception/data/registry.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <numeric>

namespace {

using namespace minception;

void check_part(const char* part, const ImageDataset& images, std::int64_t count) {
  require(images.size() == count, part, ": ", images.size(), " images instead of ", count);
  require(images.image == Shape{1, 28, 28}, part, ": images of ", images.image, " instead of [1,28,28]");
  require(images.pixels.size() == static_cast<std::size_t>(count) * 28 * 28, part, ": ", images.pixels.size(),
          " bytes of pixels");
  std::array<std::int64_t, 10> histogram{};
  for (std::int32_t label : images.labels) ++histogram.at(static_cast<std::size_t>(label));
  for (std::int64_t members : histogram) {
    require(members == count / 10, part, ": a class has ", members, " images instead of ", count / 10);
  }
}

}  // namespace

int main() {
  constexpr int kSkipped = 77;
  const std::filesystem::path dir = default_data_dir("fashion-mnist");
  if (!std::filesystem::is_directory(dir)) {
    std::cout << "SKIPPED: " << dir.string() << " is not there; install the Debian package dataset-fashion-mnist\n";
    return kSkipped;
  }
  try {
    const Dataset dataset = load_dataset("fashion-mnist");
    check_part("train", dataset.train, 60000);
    check_part("test", dataset.test, 10000);
    // The mean that everyone normalises with, 0.2860 of the range: pixels in the wrong place or order would
    // not show here, but a wrong offset in the first image would.
    const double sum = std::accumulate(dataset.train.pixels.begin(), dataset.train.pixels.end(), 0.0);
    const double mean = sum / static_cast<double>(dataset.train.pixels.size()) / 255.0;
    require(std::abs(mean - 0.2860) <= 0.00005, "the mean of the pixels is ", mean, " instead of 0.2860");
    require(dataset.train.labels[0] == 9, "the first image is of class ", dataset.train.labels[0],
            " instead of 9, an ankle boot");
  } catch (const Error& error) {
    std::cerr << "FAILED: " << error.what() << '\n';
    return 1;
  }
  std::cout << "60,000 and 10,000 images, every class equally often\n";
  return 0;
}
