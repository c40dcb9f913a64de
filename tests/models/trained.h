#pragma once
/// A network with real images, for comparisons of whole training steps.

#include "data/registry.h"
#include "models/network.h"
#include "models/registry.h"

#include "tests/catch.h"

#include <filesystem>
#include <numeric>
#include <span>
#include <vector>

namespace minception {

/// Fashion-MNIST if installed (CI installs it), else noise: a machine with a GPU may have no data set.
inline const ImageDataset& training_images() {
  static const ImageDataset the_images = [] {
    if (std::filesystem::is_directory(default_data_dir("fashion-mnist"))) return load_dataset("fashion-mnist").train;
    WARN("Fashion-MNIST is not installed: images are noise");
    ImageDataset noise;
    noise.image = {1, 28, 28};
    const Random random{1, 1};
    for (std::uint64_t i = 0; i < 512 * 28 * 28; ++i) noise.pixels.push_back(static_cast<std::uint8_t>(random.bits(i)));
    for (std::uint64_t i = 0; i < 512; ++i) noise.labels.push_back(static_cast<std::int32_t>(random.bits(i) % 10));
    return noise;
  }();
  return the_images;
}

/// A network with real images resident on its device.
struct Trained {
  Network network;
  ResidentDataset dataset;

  Trained(Backend& backend, const ModelConfig& config, const NetworkOptions& options)
      : network(make_model(config), backend, options) {
    const std::size_t used = 512;
    const std::span<const std::uint8_t> pixels(training_images().pixels);
    const std::span<const std::int32_t> labels(training_images().labels);
    dataset = make_resident(backend, training_images().image, pixels.first(used * 28 * 28), labels.first(used));
    network.initialize(Initialization::xavier_uniform, 1);
    network.set_dataset(Mode::training, dataset);
  }

  /// One step on `batch` images starting at `first`; returns the mean loss.
  double step(std::int64_t first, std::int64_t batch, const TrainStepOptions& how = {}, float rate = 0.0f,
              std::int64_t number = 1) {
    std::vector<std::int32_t> indices(static_cast<std::size_t>(batch));
    std::iota(indices.begin(), indices.end(), static_cast<std::int32_t>(first));
    network.reset_metrics();
    network.set_indices(indices);
    network.set_control(1, first, rate, static_cast<float>(momentum_of(network.options().optimizer)), number);
    network.train_step(batch, how);
    return network.metrics().loss / static_cast<double>(batch);
  }
};

}  // namespace minception
