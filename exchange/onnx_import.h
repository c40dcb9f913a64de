#pragma once
/// Import from ONNX.

#include "models/weights_file.h"

#include <filesystem>

namespace minception {

/// Description of a file that was not written by export_onnx.
struct OnnxImportOptions {
  Shape size;  ///< (H, W) of the input, for a file that leaves them free; rank 0: as in the file
  ImageOptions image_options;
  Normalization normalization;  ///< of the pixels, unless the file's first nodes normalise them
};

/// Reads a network that consists of our layers, as config.graph and tensors. Layers and parameters are named after the
/// file's initializers where these have names like "layer.weight". Preprocessing and class names come from the metadata of
/// export_onnx, else from `options` ("0", "1" and so on). Throws Error, naming the file, and where possible node and
/// operator, for an invalid file and for a network that our layers cannot express.
WeightsFile import_onnx(const std::filesystem::path& path, const OnnxImportOptions& options = {});

}  // namespace minception
