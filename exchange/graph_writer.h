#pragma once
/// Adds nodes and initializers with unique names to an ONNX graph.

#include "core/safetensors.h"
#include "exchange/onnx_messages.h"

#include <cstdint>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace minception::exchange {

class GraphWriter {
 public:
  using Attribute = std::pair<const char*, std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>>>;

  explicit GraphWriter(onnx::GraphProto& graph) : graph_(graph) {}

  /// Appends a node with one output; returns the name of both, `name` or, if that is taken, `name` with a number. An empty
  /// input is an optional one that is left out.
  std::string node(const std::string& op, const std::string& name, std::initializer_list<std::string> inputs,
                   std::initializer_list<Attribute> attributes = {}) {
    return node(op, name, std::vector<std::string>(inputs), attributes);
  }
  std::string node(const std::string& op, const std::string& name, const std::vector<std::string>& inputs,
                   std::initializer_list<Attribute> attributes = {});

  /// Adds a tensor in f32, unless one of this name exists; returns `name`.
  std::string initializer(const std::string& name, const FileTensor& tensor);
  /// Adds constants; return their name, which is made unique like that of a node.
  std::string constant(const std::string& name, const Shape& shape, std::span<const float> values);
  std::string constant(const std::string& name, std::span<const std::int64_t> values);

  void input(const std::string& name, onnx::TensorProto::DataType type, const Shape& image);
  /// Makes `value` the output `name`, (N, classes).
  void output(const std::string& value, const std::string& name, std::int64_t classes);

 private:
  std::string unique(const std::string& name);

  onnx::GraphProto& graph_;
  std::set<std::string> names_, initializers_;
};

}  // namespace minception::exchange
