#pragma once
/// A model: layers in order, grouped into stages, plus auxiliary heads. It holds no memory; a Network does.

#include "layers/sequential.h"
#include "layers/softmax_cross_entropy.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace minception {

/// User-selectable settings of a model.
struct ModelConfig {
  std::string name = "googlenet";
  Shape input = {1, 96, 96};  ///< (C, H, W)
  std::int64_t classes = 10;
  std::uint64_t seed = 1;  ///< seed of dropout
  /// Rate of every dropout layer; nullopt: the model's default; 0: no dropout layers.
  std::optional<double> dropout = std::nullopt;
  /// false: skip the model's input transform (Model::input_scale).
  bool transform_input = true;
  /// Layers as JSON text (models/graph.h), for a model that is not in the registry; "": the model named `name`.
  std::string graph = {};
};

/// A named range of top-level layers, drawn as one box in papers.
struct Stage {
  std::string name;
  std::size_t begin = 0;  ///< first layer of the body
  std::size_t end = 0;    ///< one past the last
};

/// An auxiliary classifier: layers from features to logits, with a loss. The main head is the end of the body.
struct Head {
  std::string name;
  std::size_t after = 0;  ///< index of the body layer whose output it reads
  std::unique_ptr<Sequential> layers;
  double loss_weight = 1.0;
};

/// Network validates the model: it throws Error for a missing body, stages or heads that refer to missing layers, and
/// outputs that are not (N, classes).
struct Model {
  Model() = default;
  /// A model of the user's own. `input`: (C, H, W). Sizes that follow from it can be left out of the layers.
  Model(std::string name, Sequential layers, const Shape& input, std::int64_t classes);

  ModelConfig config;
  std::unique_ptr<Sequential> body;  ///< from the image to the main logits
  std::vector<Stage> stages;
  std::vector<Head> auxiliary;  ///< used in training only
  /// Applied per input channel before the first layer: x * scale + shift; empty: none. torchvision's transform_input:
  /// converts images normalised for its other models to the normalisation of this one.
  std::vector<double> input_scale, input_shift;
  std::vector<std::string> warnings;  ///< configurations that work but are unusual
};

}  // namespace minception
