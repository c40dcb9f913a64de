#pragma once
/// The messages of ONNX files, compiled from the system's onnx.proto. Their package is renamed to minception.onnx, so that
/// programs can link other libraries with messages of package onnx.

#include "models/network.h"

#include <minception_onnx.pb.h>

#include <map>
#include <string>
#include <vector>

namespace minception {

struct OnnxExportOptions;

/// The internals of this folder; libminception.so does not export them (cmake/exports.cmake).
namespace exchange {

/// Prefix of our entries in the metadata of a file.
inline constexpr const char* kOnnxMetadataPrefix = "minception.";
/// Names of inputs and outputs.
inline constexpr const char* kOnnxInput = "input";
inline constexpr const char* kOnnxImage = "image";
inline constexpr const char* kOnnxLogits = "logits";
inline constexpr const char* kOnnxProbabilities = "probabilities";

/// The matrix (out, in) that averages `in` values over the windows of AdaptiveAvgPool2d, which may differ in size; or its
/// transpose.
FileTensor averaging_matrix(std::int64_t in, std::int64_t out, bool transposed);

/// What export_onnx writes. `state`: the values of all parameters that inference uses.
onnx::ModelProto to_onnx(const Network& network, const std::map<std::string, FileTensor>& state,
                         const std::vector<std::string>& class_names, const OnnxExportOptions& options);

}  // namespace exchange
}  // namespace minception
