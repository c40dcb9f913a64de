/// A training on the cuda backend, as `train --device cuda` does it: whole steps replayed, stopped and resumed.

#include <minception/tests/skip_without_gpu.h>
// (first, because it configures Catch2)
#include <minception/data/registry.h>
#include <minception/models/registry.h>
#include <minception/training/evaluation.h>
#include <minception/training/trainer.h>

#include <catch2/catch.hpp>

#include <cstdio>
#include <filesystem>

using namespace minception;

namespace {

constexpr std::int64_t kSteps = 40, kBatch = 8, kStop = 30;

/// The first images of Fashion-MNIST, enough for kSteps; noise could not be learned.
ImageDataset real_images() {
  ImageDataset images = load_dataset("fashion-mnist").train;
  images.labels.resize(static_cast<std::size_t>(kSteps * kBatch));
  images.pixels.resize(images.labels.size() * static_cast<std::size_t>(images.image.elements()));
  return images;
}

struct Run {
  Run(Backend& backend, const ImageDataset& images, bool record)
      : dataset(make_resident(backend, images.image, images.pixels, images.labels)),
        network(make_model({.name = "googlenet_bn", .input = {1, 32, 32}}), backend,
                {.max_batch = kBatch, .sgd = {.momentum = true}, .dataset_image = images.image, .record = record}),
        trainer(network, feed,
                {.epochs = 1,
                 .batch_size = kBatch,
                 .schedule = {.learning_rate = 0.0015, .momentum = 0.5},
                 .steps_per_line = 1}) {
    network.initialize(Initialization::xavier_uniform, 1);
    hooks.line = [this](const StepMetrics& line) { losses.push_back(line.loss); };
  }

  ResidentDataset dataset;
  ResidentFeed feed{dataset};
  Network network;
  Trainer trainer;
  TrainerHooks hooks;
  std::vector<double> losses;
};

double mean(const std::vector<double>& values, std::size_t begin, std::size_t count) {
  double sum = 0.0;
  for (std::size_t i = begin; i < begin + count; ++i) sum += values[i];
  return sum / static_cast<double>(count);
}

}  // namespace

TEST_CASE("cuda: a BatchNorm GoogLeNet learns real images and goes on with the same bits when resumed", "[network]") {
  if (!std::filesystem::is_directory(default_data_dir("fashion-mnist"))) {
    WARN("SKIPPED: Fashion-MNIST is not installed");
    return;
  }
  const ImageDataset images = real_images();
  const auto backend = make_cuda_backend();
  Run whole(*backend, images, true);
  TrainerState state;
  std::map<std::string, FileTensor> weights, momentum;
  whole.hooks.after_step = [&] {
    if (whole.trainer.step() == kStop) {
      state = whole.trainer.state();
      weights = whole.network.state();
      momentum = whole.network.optimizer_state();
    }
    return true;
  };
  REQUIRE(whole.trainer.train_epoch(whole.hooks));
  REQUIRE(whole.losses.size() == kSteps);
  CHECK(whole.network.replays(kBatch));
  const double first = mean(whole.losses, 0, 8), last = mean(whole.losses, kSteps - 8, 8);
  std::printf("googlenet_bn on the cuda kernels, 32x32, batch 8: mean loss of steps 1 to 8 %.3f, of 33 to 40 %.3f\n",
              first, last);
  CHECK(last < 0.8 * first);

  // Resumed in another network, and without graphs.
  Run rest(*backend, images, false);
  rest.network.load_state(weights);
  rest.network.load_optimizer_state(momentum);
  rest.trainer.set_state(state);
  REQUIRE(rest.trainer.train_epoch(rest.hooks));
  CHECK(rest.losses == std::vector<double>(whole.losses.begin() + kStop, whole.losses.end()));
  CHECK(rest.network.state() == whole.network.state());
  CHECK(rest.network.optimizer_state() == whole.network.optimizer_state());
}
