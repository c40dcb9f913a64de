#pragma once
/// A small network in an ONNX message, for tests that change it and import it.

#include "core/safetensors.h"
#include "exchange/graph_writer.h"
#include "exchange/onnx_import.h"
#include "models/weights.h"
#include "tests/core/temporary_folder.h"

#include <filesystem>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace minception::testing {

using exchange::GraphWriter;
using Integers = std::vector<std::int64_t>;
using Change = std::function<void(onnx::ModelProto&)>;

inline FileTensor filled(const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.1 * static_cast<double>(i % 7) - 0.3;
  return to_file_tensor(values, shape, DType::f32);
}

/// x (N, 2, 6, 6) -> conv.weight, conv.bias -> Relu -> GlobalAveragePool -> Flatten -> fc.weight -> logits (N, 3).
inline onnx::ModelProto small() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  model.mutable_graph()->set_name("small");
  GraphWriter graph(*model.mutable_graph());
  graph.input("x", onnx::TensorProto::FLOAT, {2, 6, 6});
  std::string value = graph.node(
      "Conv", "conv",
      {"x", graph.initializer("conv.weight", filled({4, 2, 3, 3})), graph.initializer("conv.bias", filled(Shape{4}))},
      {{"pads", Integers{1, 1, 1, 1}}});
  value = graph.node("Relu", "relu", {value});
  value = graph.node("GlobalAveragePool", "pool", {value});
  value = graph.node("Flatten", "flatten", {value});
  value =
      graph.node("Gemm", "fc", {value, graph.initializer("fc.weight", filled({3, 4}))}, {{"transB", std::int64_t{1}}});
  graph.output(value, "logits", 3);
  return model;
}

inline onnx::NodeProto& node(onnx::ModelProto& model, const std::string& name) {
  for (onnx::NodeProto& each : *model.mutable_graph()->mutable_node()) {
    if (each.name() == name) return each;
  }
  throw std::runtime_error("no node " + name);
}

inline onnx::AttributeProto& attribute(onnx::ModelProto& model, const std::string& name, const char* key) {
  onnx::AttributeProto& added = *node(model, name).add_attribute();
  added.set_name(key);
  return added;
}

/// What import_onnx says about these bytes, without the name of the file; "" if it accepts them.
inline std::string import_bytes(const std::string& bytes) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "model.onnx";
  write_file_atomically(path, std::as_bytes(std::span(bytes)));
  try {
    import_onnx(path);
    return "";
  } catch (const Error& error) {
    const std::string what = error.what(), prefix = path.string() + ": ";
    if (!what.starts_with(prefix) || what.find('\n') != std::string::npos) return "a message of another form: " + what;
    return what.substr(prefix.size());
  }
}

inline std::string changed(const Change& change) {
  onnx::ModelProto model = small();
  change(model);
  return import_bytes(model.SerializeAsString());
}

}  // namespace minception::testing
