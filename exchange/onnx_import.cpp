#include "exchange/onnx_import.h"
#include "exchange/graph_importer.h"
#include "exchange/onnx_export.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/state_dict.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace minception {

using namespace exchange;

namespace {

std::map<std::string, std::string> our_metadata(const onnx::ModelProto& model) {
  std::map<std::string, std::string> entries;
  const std::string prefix = kOnnxMetadataPrefix;
  for (const onnx::StringStringEntryProto& entry : model.metadata_props()) {
    if (entry.key().starts_with(prefix)) entries[entry.key().substr(prefix.size())] = entry.value();
  }
  return entries;
}

/// Every parameter of the network that `tensors` has in its shape; auxiliary heads may be missing. nullopt if one is not there.
std::optional<std::map<std::string, FileTensor>> parameters_in(const onnx::GraphProto& graph, const Network& network) {
  std::map<std::string, const onnx::TensorProto*> initializers;
  for (const onnx::TensorProto& tensor : graph.initializer()) initializers[tensor.name()] = &tensor;
  std::map<std::string, FileTensor> state;
  for (const Parameter& parameter : network.parameters().all()) {
    const auto found = initializers.find(parameter.name);
    const bool auxiliary = std::any_of(network.model().auxiliary.begin(), network.model().auxiliary.end(),
                                       [&](const Head& head) { return parameter.name.starts_with(head.name + "."); });
    if (auxiliary) continue;
    if (found == initializers.end()) return std::nullopt;
    state[parameter.name] = floats_of(*found->second);
    if (state[parameter.name].shape != parameter.shape) return std::nullopt;
  }
  return state;
}

bool same_nodes(const onnx::GraphProto& a, const onnx::GraphProto& b) {
  return std::equal(a.node().begin(), a.node().end(), b.node().begin(), b.node().end(),
                    [](const onnx::NodeProto& x, const onnx::NodeProto& y) {
                      return x.SerializeAsString() == y.SerializeAsString();
                    });
}

/// The network that the metadata describe, with the tensors of the file, if export_onnx writes the file's nodes for it. Unlike
/// the nodes it has dropout, Inception layers and auxiliary heads.
std::optional<std::map<std::string, FileTensor>> as_described(const onnx::ModelProto& model,
                                                              const WeightsFile& described) {
  const onnx::GraphProto& graph = model.graph();
  const auto backend = make_backend("reference");
  NetworkOptions options = {.max_batch = 1, .training = false, .plan_only = true};
  options.dataset_image = described.image;
  options.scale = described.scale;
  options.shift = described.shift;
  const Network network(make_model(described.config), *backend, options);
  std::optional<std::map<std::string, FileTensor>> state = parameters_in(graph, network);
  if (!state) return std::nullopt;
  OnnxExportOptions written = {.fold_batch_norm = false};
  written.preprocessing = graph.input_size() == 1 && graph.input(0).name() == kOnnxImage;
  written.softmax = graph.output_size() == 1 && graph.output(0).name() == kOnnxProbabilities;
  const onnx::ModelProto again = to_onnx(network, *state, described.class_names, written);
  if (!same_nodes(graph, again.graph())) return std::nullopt;
  return state;
}

std::string usable_name(const std::string& name, const std::filesystem::path& path) {
  const bool usable = !name.empty() && name.size() <= 100 && printable_name(name) == name;
  return usable ? name : printable_name(path.stem().string());
}

std::vector<float> as_floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

WeightsFile import_graph(const onnx::ModelProto& model, const std::filesystem::path& path,
                         const OnnxImportOptions& options) {
  WeightsFile weights;
  const std::map<std::string, std::string> metadata = our_metadata(model);
  const bool described = metadata.contains("model");
  if (described) {
    read_weights_metadata(metadata, "the file", weights);
    if (std::optional<std::map<std::string, FileTensor>> state = as_described(model, weights)) {
      weights.tensors = std::move(*state);
      return weights;
    }
  }
  GraphImporter importer(model, options.size);
  importer.run();
  const Shape logits = importer.layers()[static_cast<std::size_t>(importer.output())].shape;
  require(logits.rank() == 2, "the output is ", logits, " for one image; logits (N, classes) are needed");
  LayerTree tree = layer_tree(importer.layers(), importer.output());

  const Shape& input = importer.network_input();
  const bool keeps = described && weights.config.classes == logits[1] && weights.config.input[0] == input[0];
  const std::string name = described ? weights.config.name : usable_name(model.graph().name(), path);
  Model network(name, std::move(tree.layers), input, logits[1]);
  weights.tensors = std::move(tree.tensors);
  std::vector<double> scale, shift;
  bool plain = true;
  for (const InputChannel& channel : importer.channels()) {
    scale.push_back(channel.scale);
    shift.push_back(channel.shift);
    plain = plain && channel.scale == 1.0 && channel.shift == 0.0;
  }
  if (importer.pixels()) {
    weights.scale = as_floats(scale);
    weights.shift = as_floats(shift);
    weights.image = importer.image();
  } else {
    if (!plain) {
      network.input_scale = scale;
      network.input_shift = shift;
    }
    if (!keeps) {
      const Normalization& normalization = options.normalization;
      for (const auto* values : {&normalization.mean, &normalization.deviation}) {
        require(values->size() == 1 || static_cast<std::int64_t>(values->size()) == input[0], values->size(),
                " means or deviations are given; one is needed, or one for each of ", input[0], " channels");
      }
      weights.scale = normalization.scale();
      weights.shift = normalization.shift();
      weights.image = input;
    }
  }
  if (!keeps) {
    weights.image_options = options.image_options;
    weights.class_names.clear();
    for (std::int64_t c = 0; c < logits[1]; ++c) weights.class_names.push_back(std::to_string(c));
  }
  weights.config = network.config;
  weights.config.graph = to_graph(network);
  return weights;
}

}  // namespace

WeightsFile import_onnx(const std::filesystem::path& path, const OnnxImportOptions& options) {
  const onnx::ModelProto model = read_onnx(path);
  try {
    WeightsFile weights = import_graph(model, path, options);
    check_numbers(weights.tensors);
    // Finds what only a network checks, such as logits that end in a ReLU.
    const auto backend = make_backend("reference");
    const Network network(make_model(weights.config), *backend, {.max_batch = 1, .training = false, .plan_only = true});
    for (const Parameter& parameter : network.parameters().all()) {
      const auto tensor = weights.tensors.find(parameter.name);
      const bool fits = tensor == weights.tensors.end() || tensor->second.shape == parameter.shape;
      require(fits, "the tensor ", parameter.name, " has another shape than its layer");
    }
    return weights;
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
}

}  // namespace minception
