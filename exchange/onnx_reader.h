#pragma once
/// Reads parts of ONNX messages that may hold anything. Errors name the node or tensor.

#include "core/error.h"
#include "core/safetensors.h"
#include "exchange/onnx_messages.h"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

namespace minception::exchange {

/// Parses a file. Throws Error, naming it, if it cannot be read, is no ONNX file, or has no graph.
onnx::ModelProto read_onnx(const std::filesystem::path& path);

/// A name of a file for messages: control characters are replaced, and long names are cut.
std::string printable_name(const std::string& name);

/// The values of a tensor. Throws Error for a type other than floating-point numbers, i32, i64 and u8, for values in another
/// file, and if their number does not match the shape.
FileTensor tensor_of(const onnx::TensorProto& tensor);
/// The same, converted to f32.
FileTensor floats_of(const onnx::TensorProto& tensor);
/// The first number of a tensor in f32 that is not empty.
float first_of(const FileTensor& tensor);
/// The values of a tensor of at most 64 integers.
std::vector<std::int64_t> integers_of(const onnx::TensorProto& tensor);

class NodeReader {
 public:
  NodeReader(const onnx::NodeProto& node, int index);

  const std::string& op() const { return node_.op_type(); }
  const onnx::NodeProto& proto() const { return node_; }
  /// "node conv1 (Conv)"
  const std::string& where() const { return where_; }

  template <class... Args>
  [[noreturn]] void fail(const Args&... args) const {
    minception::fail(where_, ": ", args...);
  }
  template <class... Args>
  void require(bool condition, const Args&... args) const {
    if (!condition) fail(args...);
  }

  bool has_input(int index) const { return index < node_.input_size() && !node_.input(index).empty(); }
  const std::string& input(int index) const {
    require(has_input(index), "input ", index, " is missing");
    return node_.input(index);
  }
  const std::string& output() const { return node_.output(0); }

  /// Throws Error for attributes other than these.
  void only(std::initializer_list<const char*> attributes) const;
  std::int64_t integer(const char* attribute, std::int64_t otherwise) const;
  double real(const char* attribute, double otherwise) const;
  std::string text(const char* attribute, const std::string& otherwise) const;
  /// Empty if the attribute is missing. Each is between -2^31 and 2^31.
  std::vector<std::int64_t> integers(const char* attribute) const;
  const onnx::AttributeProto* find(const char* attribute) const;

 private:
  const onnx::AttributeProto* find(const char* attribute, onnx::AttributeProto::AttributeType type) const;

  const onnx::NodeProto& node_;
  std::string where_;
};

}  // namespace minception::exchange
