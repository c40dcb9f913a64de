/// Nodes that yield constants.

#include "exchange/graph_importer.h"

#include <algorithm>
#include <cstring>

namespace minception::exchange {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1}
                                    << 31;  // of all constants that nodes make; files have the same limit

}  // namespace

/// An empty tensor for `bytes` bytes of values.
onnx::TensorProto& GraphImporter::make_constant(const NodeReader& node, std::int64_t bytes) {
  made_bytes_ += bytes;
  node.require(made_bytes_ <= kMostBytes, "the constants that nodes make are larger than 2 GiB");
  onnx::TensorProto& made = made_constants_.emplace_back();
  made.set_name(node.output());
  return made;
}

void GraphImporter::set_constant(const NodeReader& node) {
  const onnx::AttributeProto* tensor = node.find("value");
  const onnx::AttributeProto* integer = node.find("value_int");
  const onnx::AttributeProto* integers = node.find("value_ints");
  const onnx::AttributeProto* real = node.find("value_float");
  const onnx::AttributeProto* reals = node.find("value_floats");
  if (tensor != nullptr && tensor->has_t()) return set(node, {.kind = Kind::constant, .tensor = &tensor->t()});
  onnx::TensorProto& made = make_constant(node, 0);
  const auto set_list = [&](int count, onnx::TensorProto::DataType type) {
    made.set_data_type(type);
    made.add_dims(count);
  };
  if (integer != nullptr) {
    made.set_data_type(onnx::TensorProto::INT64);
    made.add_int64_data(integer->i());
  } else if (real != nullptr) {
    made.set_data_type(onnx::TensorProto::FLOAT);
    made.add_float_data(real->f());
  } else if (integers != nullptr) {
    set_list(integers->ints_size(), onnx::TensorProto::INT64);
    for (const std::int64_t each : integers->ints()) made.add_int64_data(each);
  } else if (reals != nullptr) {
    set_list(reals->floats_size(), onnx::TensorProto::FLOAT);
    for (const float each : reals->floats()) made.add_float_data(each);
  } else {
    node.fail("has no numbers");
  }
  set(node, {.kind = Kind::constant, .tensor = &made});
}

void GraphImporter::constant_of_shape(const NodeReader& node) {
  node.only({"value"});
  FileTensor value{.dtype = DType::f32, .shape = {1}, .bytes = std::vector<std::byte>(sizeof(float))};
  auto type = static_cast<std::int32_t>(onnx::TensorProto::FLOAT);
  if (const onnx::AttributeProto* given = node.find("value"); given != nullptr) {
    value = tensor_of(given->t());
    type = given->t().data_type();
    node.require(value.shape.elements() == 1, "its value is ", value.shape, " instead of one number");
  }
  const auto size = static_cast<std::int64_t>(value.bytes.size());
  std::int64_t bytes = size;
  const Integers extents = integers(node, 0);
  node.require(extents.size() <= static_cast<std::size_t>(Shape::max_rank), "makes a tensor of ", extents.size(),
               " axes");
  for (const std::int64_t extent : extents) {
    node.require(extent >= 0 && (extent == 0 || bytes <= kMostBytes / extent),
                 "makes a tensor that is negative or larger "
                 "than 2 GiB");
    bytes *= extent;
  }
  onnx::TensorProto& made = make_constant(node, bytes);
  made.set_data_type(type);
  for (const std::int64_t extent : extents) made.add_dims(extent);
  std::string& raw = *made.mutable_raw_data();
  raw.resize(static_cast<std::size_t>(bytes));
  for (std::int64_t i = 0; i < bytes; i += size) std::memcpy(raw.data() + i, value.bytes.data(), value.bytes.size());
  set(node, {.kind = Kind::constant, .tensor = &made});
}

/// The same values in another shape, which has as many elements.
void GraphImporter::set_reshaped(const NodeReader& node, const onnx::TensorProto& tensor, const Integers& shape) {
  onnx::TensorProto& made = make_constant(node, static_cast<std::int64_t>(tensor.ByteSizeLong()));
  made = tensor;
  made.clear_dims();
  for (const std::int64_t extent : shape) made.add_dims(extent);
  set(node, {.kind = Kind::constant, .tensor = &made});
}

void GraphImporter::reshape_constant(const NodeReader& node, const onnx::TensorProto& tensor) {
  const Shape from = tensor_of(tensor).shape;
  Integers to = node.has_input(1) ? integers(node, 1) : node.integers("shape");
  std::int64_t known = 1, *free = nullptr;
  for (std::size_t axis = 0; axis < to.size(); ++axis) {
    std::int64_t& extent = to[axis];
    if (extent == 0 && static_cast<int>(axis) < from.rank()) extent = from[static_cast<int>(axis)];
    if (extent == -1 && free == nullptr) {
      free = &extent;
    } else {
      node.require(extent >= 1 && extent <= kMostBytes && known <= kMostBytes / extent, "has an extent of ", extent);
      known *= extent;
    }
  }
  if (free != nullptr) *free = from.elements() / known;
  node.require(known * (free == nullptr ? 1 : *free) == from.elements() && from.elements() > 0,
               "makes another number of elements of a constant ", from);
  set_reshaped(node, tensor, to);
}

void GraphImporter::unsqueeze_constant(const NodeReader& node, const onnx::TensorProto& tensor, const Integers& added) {
  const auto rank = tensor.dims_size() + static_cast<std::int64_t>(added.size());
  Integers shape(tensor.dims().begin(), tensor.dims().end());
  Integers axes = added;
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  for (const std::int64_t axis : axes) {
    node.require(axis >= 0 && axis <= static_cast<std::int64_t>(shape.size()), "adds the axis ", axis, " of ", rank);
    shape.insert(shape.begin() + axis, 1);
  }
  set_reshaped(node, tensor, shape);
}

}  // namespace minception::exchange
