#pragma once
/// Export to ONNX (https://onnx.ai, "Open Neural Network Exchange Intermediate Representation"), which most inference
/// runtimes read.

#include "models/network.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// Whether this build reads and writes ONNX files; if not, export_onnx and import_onnx throw an Error that names the
/// missing packages.
bool has_onnx();

struct OnnxExportOptions {
  /// Multiply each BatchNorm after a convolution into the weights, as inference does. false: keep it as a node.
  bool fold_batch_norm = true;
  /// Include resize and scaling of pixels: the input is "image", u8 (N, C, h, w) as NetworkOptions::dataset_image. false:
  /// the input is "input", f32 (N, C, H, W), pixels after NetworkOptions::scale and shift, as for Network::set_input.
  bool preprocessing = false;
  /// The output is "probabilities". false: "logits".
  bool softmax = false;
};

/// Writes the network as inference runs it, without auxiliary heads: opset 17, N is free. Nodes are named after layers
/// and initializers after parameters ("inception3a.branch1.conv.weight"). The file's metadata are those of weights files
/// (weights_metadata), with the prefix "minception.". Throws Error, naming layer and operation, for an operation that
/// ONNX lacks, and if the file cannot be written.
void export_onnx(const Network& network, const std::vector<std::string>& class_names, const std::filesystem::path& path,
                 const OnnxExportOptions& options = {});

}  // namespace minception
