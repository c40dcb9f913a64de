#pragma once
/// From a graph of layers to nested layers: a series-parallel graph becomes a Sequential whose joins are Concat and Residual
/// layers, each around the paths from the last value that all of its inputs pass.

#include "core/safetensors.h"
#include "layers/sequential.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace minception::exchange {

enum class Join : std::uint8_t { none, concat, add };

/// A layer with one input, or a join of several values. Values are numbered as the layers that yield them.
struct GraphLayer {
  static constexpr int kInput = -1;  ///< the value that the network reads

  std::string where;        ///< for messages: "node conv1 (Conv)"
  std::string path;         ///< wanted full name; "": none
  std::string fallback;     ///< last part of the name if `path` does not fit
  std::vector<int> inputs;  ///< each less than the own number
  Join join = Join::none;
  std::unique_ptr<Layer> layer;  ///< nullptr for joins
  Shape shape;                   ///< of the output for one image
  double scale = 1.0;            ///< add: of the input number `scaled`
  int scaled = -1;
  std::map<std::string, FileTensor> parameters = {};  ///< "weight", "bias", ...
};

struct LayerTree {
  Sequential layers;
  std::map<std::string, FileTensor> tensors;  ///< by full name
};

/// The layers between the network's input and the value `output`; takes them out of `graph`. Layers are named by their paths
/// as far as the nesting allows. Throws Error, naming a node, for a graph that is not series-parallel.
LayerTree layer_tree(std::vector<GraphLayer>& graph, int output);

}  // namespace minception::exchange
