/// Defines a custom network, overfits it to a batch of random images and logs the loss to a TensorBoard event file.

#include <minception/core/error.h>
#include <minception/core/random.h>
#include <minception/kernels/backend.h>
#include <minception/layers/conv2d.h>
#include <minception/layers/flatten.h>
#include <minception/layers/linear.h>
#include <minception/layers/max_pool2d.h>
#include <minception/models/network.h>
#include <minception/training/tensorboard.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace minception;

namespace {

constexpr std::int64_t kBatch = 16, kClasses = 4;

Model small_network() {
  Model model;
  model.config = {.name = "small", .input = {1, 8, 8}, .classes = kClasses};
  model.body = std::make_unique<Sequential>();
  model.body->add<Conv2d>("conv",
                          {.in_channels = 1, .out_channels = 8, .kernel = {3, 3}, .padding = {1, 1}, .relu = true});
  model.body->add<MaxPool2d>("pool", Pool2dAttributes{.kernel = {2, 2}, .stride = {2, 2}});
  model.body->add<Flatten>("flatten");
  model.body->add<Linear>("fc", {.in_features = 8 * 4 * 4, .out_features = kClasses});
  model.stages.push_back({"all", 0, model.body->size()});
  return model;
}

/// The cpu backend (oneDNN) if the library was built with it, otherwise the reference backend.
std::unique_ptr<Backend> make_fastest_backend() {
  try {
    return make_backend("cpu");
  } catch (const Error&) {
    return make_backend("reference");
  }
}

void learn(const std::filesystem::path& event_folder) {
  const auto backend = make_fastest_backend();
  Network network(small_network(), *backend, {.max_batch = kBatch, .optimizer = Sgd{.momentum = 0.9}});
  network.initialize(Initialization::xavier_uniform, 1);

  std::vector<float> images(static_cast<std::size_t>(kBatch * 8 * 8));
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = Random{1, 1}.uniform(i);
  std::vector<std::int32_t> labels;
  for (int i = 0; i < kBatch; ++i) labels.push_back(i % kClasses);
  network.set_input(Mode::training, images, labels);

  EventFile events(event_folder);
  double first = 0.0, loss = 0.0;
  for (std::int64_t step = 0; step < 100; ++step) {
    network.reset_metrics();
    network.set_control(1, step * kBatch, 0.02f, 0.9f);
    network.train_step(kBatch);
    loss = network.metrics().loss / kBatch;
    if (step == 0) first = loss;
    events.scalar("loss", step, loss);
  }
  std::printf("%s: loss %.3f after one step, %.3f after 100\n", std::string(backend->name()).c_str(), first, loss);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    require(argc == 2, "usage: custom_network FOLDER");
    learn(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "custom_network: %s\n", error.what());
    return 1;
  }
}
