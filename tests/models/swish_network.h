#pragma once
/// A network with a custom operation that has a parameter, in training steps on any backend.

#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "models/network.h"
#include "models/weights.h"
#include "tests/layers/swish.h"
#include "tests/models/networks.h"

#include <memory>
#include <vector>

namespace minception {

inline Model swish_model() {
  Model model;
  model.config = {.name = "swish", .input = {2, 6, 5}, .classes = 4};
  model.body = std::make_unique<Sequential>();
  model.body->add<Conv2d>("conv",
                          {.in_channels = 2, .out_channels = 8, .kernel = {3, 3}, .padding = {1, 1}, .relu = true});
  model.body->add<Swish>("swish", 8);
  model.body->add<Flatten>("flatten");
  model.body->add<Linear>("fc", {.in_features = 8 * 6 * 5, .out_features = 4});
  model.stages.push_back({"all", 0, model.body->size()});
  return model;
}

class SwishNetwork {
 public:
  Network network;

  explicit SwishNetwork(Backend& backend, NetworkOptions options = {.max_batch = 6})
      : network(swish_model(), backend, options) {
    network.initialize(Initialization::xavier_uniform, 1);
  }

  /// One step on `batch` samples, from sample `first` of a fixed set.
  void step(std::int64_t first, std::int64_t batch, const TrainStepOptions& options = {}) {
    const RandomBatch all = random_batch(network.model().config, 24);
    const auto image = static_cast<std::size_t>(network.model().config.input.elements());
    network.set_input(
        Mode::training,
        std::span(all.images).subspan(static_cast<std::size_t>(first) * image, static_cast<std::size_t>(batch) * image),
        std::span(all.labels).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(batch)));
    network.set_control(1, first, 0.05f, 0.0f);
    network.train_step(batch, options);
  }

  /// Largest difference of the gradients from those of `other`, relative to their norm.
  double gradient_difference(const SwishNetwork& other) const {
    double worst = 0.0;
    const auto expected = other.network.gradients();
    for (const auto& [name, tensor] : network.gradients()) {
      const std::vector<double> a = to_doubles(tensor), b = to_doubles(expected.at(name));
      double difference = 0.0, norm = 0.0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
      }
      worst = std::max(worst, std::sqrt(difference / norm));
    }
    return worst;
  }
};

/// Steps with partial batches, accumulation and updates. Returns the parameters.
inline std::map<std::string, FileTensor> swish_training(Backend& backend, const NetworkOptions& options) {
  SwishNetwork run(backend, options);
  for (int repetition = 0; repetition < 3; ++repetition) {
    run.step(0, 6);
    run.step(6, 4);
    run.step(10, 6, {.update = false, .divisor = 9.0});
    run.step(16, 3, {.accumulate = true, .divisor = 9.0});
  }
  return run.network.state();
}

}  // namespace minception
