#pragma once
/// What a network looks at: class activation maps, the activations of a layer, and the features that classes are read
/// from.
///
/// Class activation maps: B. Zhou et al., "Learning Deep Features for Discriminative Localization" (CVPR 2016),
/// section 2. A network that ends in global average pooling and a linear layer computes
///
///   logit[c] = bias[c] + mean over (p, q) of map[c,p,q]      map[c,p,q] = sum over k of w[c,k] * f[k,p,q]
///
/// where f is the input of the pooling. So the map of a class states exactly what each position adds to its logit. Images
/// so small that f has one position have no such maps.

#include "core/safetensors.h"
#include "models/network.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// Planes of one sample, (count, height, width) in this order.
struct Maps {
  std::int64_t count = 0, height = 0, width = 0;
  std::vector<float> values;

  std::span<const float> operator[](std::int64_t i) const {
    const auto size = static_cast<std::size_t>(height * width);
    return std::span(values).subspan(static_cast<std::size_t>(i) * size, size);
  }
};

/// The explanation of one sample.
struct Explanation {
  std::vector<float> features;  ///< input of the last linear layer; without one, the logits
  Maps classes;                 ///< class activation maps, one per class; empty if the network does not end as above
  Maps layer = {};              ///< output of the chosen layer, one map per channel; (count, 1, 1) after pooling
};

/// Weights (K, C, R, S) of the first convolution.
struct FirstFilters {
  std::string layer;   ///< its name; "": the network has no convolution
  FileTensor weights;  ///< undefined then
};
FirstFilters first_filters(const Network& network);

/// Names for Explainer, from the input on: of each size of feature maps the last layer or block, while the maps have more
/// than one position.
std::vector<std::string> last_layers_by_size(const Network& network);

class Explainer {
 public:
  /// `layer`: name of a layer or block, such as "inception3a", whose output is wanted; "": none. Throws Error, with the
  /// names to choose from, if the network has no such layer. `network` must outlive the explainer.
  explicit Explainer(Network& network, const std::string& layer = {});

  bool has_class_maps() const { return pooling_ >= 0; }
  /// Explains the samples of the inference input (Network::set_input or set_indices). Runs inference up to the logits;
  /// metrics do not change. `class_maps`: false saves the time for these.
  std::vector<Explanation> run(std::int64_t batch, bool class_maps = true);

 private:
  void find_last_layers();
  void find_layer(const std::string& layer);

  Network& network_;
  int last_ = -1;                // index in the plan of the step that writes the logits
  int pooling_ = -1;             // of the pooling before it
  std::vector<double> weights_;  // (classes, features) of the last layer; empty if the pooling yields the logits
  int layer_step_ = -1;          // step after which `layer` is in memory
  std::string layer_operand_;    // operand of that step that holds it
};

}  // namespace minception
