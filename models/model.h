#pragma once
/// A model: layers in order, grouped into stages, with the heads that read them. It holds no memory; a Network does.

#include <minception/layers/sequential.h>
#include <minception/layers/softmax_cross_entropy.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace minception {

/// What a person chooses about a model.
struct ModelConfig {
  std::string name = "googlenet";
  Shape input = {1, 96, 96};  ///< (C, H, W)
  std::int64_t classes = 10;
  std::uint64_t seed = 1;  ///< of dropout
  /// Of every dropout layer; not given: what the model's description says. 0 leaves dropout out.
  std::optional<double> dropout = std::nullopt;
  /// false: without the transform of the input that the model's description has (Model::input_scale).
  bool transform_input = true;
};

/// A named run of top-level layers: what papers draw as one box.
struct Stage {
  std::string name;
  std::size_t begin = 0;  ///< first layer of the body
  std::size_t end = 0;    ///< one past the last
};

/// Something that turns features into logits and has a loss. The main head is the end of the body.
struct Head {
  std::string name;
  std::size_t after = 0;  ///< reads the output of this layer of the body
  std::unique_ptr<Sequential> layers;
  double loss_weight = 1.0;
};

/// Network checks what it is given, and throws Error for a model without a body, stages and heads that name layers which are
/// not there, and outputs that are not (N, classes).
struct Model {
  ModelConfig config;
  std::unique_ptr<Sequential> body;  ///< from the image to the logits of the main head
  std::vector<Stage> stages;
  std::vector<Head> auxiliary;  ///< in training only
  /// Applied to every channel of the input before the first layer: x * scale + shift; empty for none. torchvision calls
  /// this transform_input: images normalised for its other models become what this one was trained on.
  std::vector<double> input_scale, input_shift;
  std::vector<std::string> warnings;  ///< what is odd about this configuration but works
};

}  // namespace minception
