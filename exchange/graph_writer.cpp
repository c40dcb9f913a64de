#include "exchange/graph_writer.h"
#include "models/weights.h"

#include <cstring>

namespace minception::exchange {
namespace {

/// (N, ...) with the extents of `rest`.
void set_type(onnx::ValueInfoProto& value, const std::string& name, onnx::TensorProto::DataType type,
              const Shape& rest) {
  value.set_name(name);
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape()->add_dim()->set_dim_param("N");
  for (int axis = 0; axis < rest.rank(); ++axis) tensor.mutable_shape()->add_dim()->set_dim_value(rest[axis]);
}

}  // namespace

FileTensor averaging_matrix(std::int64_t in, std::int64_t out, bool transposed) {
  std::vector<double> matrix(static_cast<std::size_t>(in * out));
  for (std::int64_t p = 0; p < out; ++p) {
    const std::int64_t begin = p * in / out, end = ((p + 1) * in + out - 1) / out;
    for (std::int64_t i = begin; i < end; ++i) {
      matrix[static_cast<std::size_t>(transposed ? i * out + p : p * in + i)] = 1.0 / static_cast<double>(end - begin);
    }
  }
  return to_file_tensor(matrix, transposed ? Shape{in, out} : Shape{out, in}, DType::f32);
}

std::string GraphWriter::unique(const std::string& name) {
  std::string candidate = name;
  for (int number = 2; !names_.insert(candidate).second; ++number) candidate = concat(name, "_", number);
  return candidate;
}

std::string GraphWriter::node(const std::string& op, const std::string& name, const std::vector<std::string>& inputs,
                              std::initializer_list<Attribute> attributes) {
  const std::string own = unique(name);
  onnx::NodeProto& node = *graph_.add_node();
  node.set_op_type(op);
  node.set_name(own);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(own);
  for (const auto& [key, value] : attributes) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(key);
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(*integer);
    } else if (const auto* real = std::get_if<float>(&value)) {
      attribute.set_type(onnx::AttributeProto::FLOAT);
      attribute.set_f(*real);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      attribute.set_type(onnx::AttributeProto::STRING);
      attribute.set_s(*text);
    } else {
      attribute.set_type(onnx::AttributeProto::INTS);
      for (const std::int64_t each : std::get<std::vector<std::int64_t>>(value)) attribute.add_ints(each);
    }
  }
  return own;
}

std::string GraphWriter::initializer(const std::string& name, const FileTensor& tensor) {
  if (!initializers_.insert(name).second) return name;
  require(names_.insert(name).second, "two values of the ONNX graph would have the name ", name);
  onnx::TensorProto& proto = *graph_.add_initializer();
  proto.set_name(name);
  proto.set_data_type(onnx::TensorProto::FLOAT);
  for (int axis = 0; axis < tensor.shape.rank(); ++axis) proto.add_dims(tensor.shape[axis]);
  const FileTensor values =
      tensor.dtype == DType::f32 ? tensor : to_file_tensor(to_doubles(tensor), tensor.shape, DType::f32);
  proto.set_raw_data(values.bytes.data(), values.bytes.size());
  return name;
}

std::string GraphWriter::constant(const std::string& name, const Shape& shape, std::span<const float> values) {
  FileTensor tensor{.dtype = DType::f32, .shape = shape, .bytes = std::vector<std::byte>(values.size_bytes())};
  std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  std::string own = name;
  for (int number = 2; names_.contains(own); ++number) own = concat(name, "_", number);
  return initializer(own, tensor);
}

std::string GraphWriter::constant(const std::string& name, std::span<const std::int64_t> values) {
  const std::string own = unique(name);
  onnx::TensorProto& proto = *graph_.add_initializer();
  proto.set_name(own);
  proto.set_data_type(onnx::TensorProto::INT64);
  proto.add_dims(static_cast<std::int64_t>(values.size()));
  proto.set_raw_data(values.data(), values.size_bytes());
  return own;
}

void GraphWriter::input(const std::string& name, onnx::TensorProto::DataType type, const Shape& image) {
  require(names_.insert(name).second, "a layer has the name of the input, ", name);
  set_type(*graph_.add_input(), name, type, image);
}

void GraphWriter::output(const std::string& value, const std::string& name, std::int64_t classes) {
  const std::string own = unique(name);
  bool found = false;
  for (onnx::NodeProto& node : *graph_.mutable_node()) {
    for (std::string& output : *node.mutable_output()) {
      if (output != value) continue;
      output = own;
      found = true;
    }
    for (std::string& input : *node.mutable_input()) {
      if (input == value) input = own;
    }
  }
  if (!found) {  // the input itself
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type("Identity");
    node.set_name(own);
    node.add_input(value);
    node.add_output(own);
  }
  set_type(*graph_.add_output(), own, onnx::TensorProto::FLOAT, Shape{classes});
}

}  // namespace minception::exchange
