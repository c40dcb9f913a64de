/// Nodes that become layers, except pools.

#include "exchange/graph_importer.h"
#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/gelu.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"

#include <algorithm>
#include <cstring>

namespace minception::exchange {
namespace {

/// (A, B) to (B, A).
FileTensor transposed(const FileTensor& tensor) {
  const auto rows = static_cast<std::size_t>(tensor.shape[0]), columns = static_cast<std::size_t>(tensor.shape[1]);
  FileTensor result{.dtype = tensor.dtype, .shape = {tensor.shape[1], tensor.shape[0]}, .bytes = tensor.bytes};
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      std::memcpy(result.bytes.data() + (c * rows + r) * sizeof(float),
                  tensor.bytes.data() + (r * columns + c) * sizeof(float), sizeof(float));
    }
  }
  return result;
}

void multiply(FileTensor& tensor, double factor) {
  if (factor == 1.0) return;
  for (std::size_t i = 0; i < tensor.bytes.size(); i += sizeof(float)) {
    float value = 0.0f;
    std::memcpy(&value, tensor.bytes.data() + i, sizeof value);
    value = static_cast<float>(value * factor);
    std::memcpy(tensor.bytes.data() + i, &value, sizeof value);
  }
}

bool is_flat(const Shape& shape) { return shape.rank() == 2; }
bool is_pixel(const Shape& shape) { return shape.rank() == 4 && shape[2] == 1 && shape[3] == 1; }

}  // namespace

void GraphImporter::conv(const NodeReader& node) {
  node.only({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  OnnxValue x = value(node, 0);
  Windows added;  // by a Pad before
  if (x.kind == Kind::padded) {
    node.require(x.padding_value == 0.0, "reads padding other than zeros, of ", x.where);
    std::copy(x.padding.begin(), x.padding.end(), added.pads);
    x.kind = Kind::layer;
  }
  const int input = layer_of(node, x);
  node.require(node.integer("group", 1) == 1, "has ", node.integer("group", 1), " groups; only one is supported");
  FileTensor weight = floats(node, 1, "weights");
  const Shape& shape = weight.shape;
  node.require(shape.rank() == 4 && shape.elements() > 0, "its weights are ", shape, " instead of (O, I, KH, KW)");
  const auto [kernel, stride, pads] = windows(node, shape_of(input), {shape[2], shape[3]});
  const Extent2d padding = {pads[0] + added.pads[0], pads[1] + added.pads[1]};
  node.require(padding == Extent2d(pads[2] + added.pads[2], pads[3] + added.pads[3]), "its padding of ", padding.h,
               " and ", padding.w, " before the image and ", pads[2] + added.pads[2], " and ", pads[3] + added.pads[3],
               " after it differ, which is not supported");
  const bool has_bias = node.has_input(2);
  auto layer = std::make_unique<Conv2d>(Conv2d::Options{.in_channels = shape[1],
                                                        .out_channels = shape[0],
                                                        .kernel = kernel,
                                                        .stride = stride,
                                                        .padding = padding,
                                                        .bias = has_bias});
  std::map<std::string, FileTensor> parameters;
  if (has_bias) {
    parameters["bias"] = floats(node, 2, "biases");
    node.require(parameters["bias"].shape == Shape{shape[0]}, "its bias is ", parameters["bias"].shape, ", not (",
                 shape[0], ")");
  }
  parameters["weight"] = std::move(weight);
  add(node, input, std::move(layer), std::move(parameters), 1);
}

void GraphImporter::batch_norm(const NodeReader& node) {
  node.only({"epsilon", "momentum", "training_mode", "spatial", "is_test", "consumed_inputs"});
  const bool training = node.integer("training_mode", 0) != 0 || (opset_ < 7 && node.integer("is_test", 0) == 0);
  node.require(!training && node.integer("spatial", 1) == 1,
               "only inference of a spatial BatchNormalization is supported; export the network in evaluation mode");
  const int input = layer(node, 0);
  const Shape x = shape_of(input);
  node.require(x.rank() == 4, "its input ", x, " is no image");
  std::map<std::string, FileTensor> parameters;
  const char* names[] = {"weight", "bias", "running_mean", "running_var"};
  for (int i = 0; i < 4; ++i) {
    FileTensor& values = parameters[names[i]] = floats(node, i + 1, "parameters");
    node.require(values.shape == Shape{x[1]}, "its input ", i + 1, " is ", values.shape, ", but there are ", x[1],
                 " channels");
  }
  // PyTorch's momentum is the weight of the new batch, ONNX's that of the old value.
  const double momentum = std::clamp(1.0 - node.real("momentum", 0.9), 0.0, 1.0);
  add(node, input,
      std::make_unique<BatchNorm2d>(
          BatchNorm2d::Options{.channels = x[1], .epsilon = node.real("epsilon", 1e-5), .momentum = momentum}),
      std::move(parameters), 1);
}

void GraphImporter::gemm(const NodeReader& node) {
  node.only({"alpha", "beta", "transA", "transB", "broadcast"});
  const int input = layer(node, 0);
  node.require(is_flat(shape_of(input)) && node.integer("transA", 0) == 0, "its input ", shape_of(input),
               " is no list of features (N, F)");
  FileTensor weight = floats(node, 1, "weights");
  node.require(weight.shape.rank() == 2 && weight.shape.elements() > 0, "its weights are ", weight.shape,
               " instead of a matrix");
  if (node.integer("transB", 0) == 0) weight = transposed(weight);
  multiply(weight, node.real("alpha", 1.0));
  const std::int64_t out = weight.shape[0];
  std::map<std::string, FileTensor> parameters;
  const bool has_bias = node.has_input(2);
  if (has_bias) {
    FileTensor bias = floats(node, 2, "biases");
    const bool row = bias.shape == Shape{out} || bias.shape == Shape({1, out});
    node.require(row || bias.shape.elements() == 1, "its bias is ", bias.shape, ", not (", out, ")");
    const std::vector<std::byte> value = bias.bytes;
    while (!row && bias.bytes.size() < static_cast<std::size_t>(out) * sizeof(float)) {
      bias.bytes.insert(bias.bytes.end(), value.begin(), value.end());
    }
    bias.shape = {out};
    multiply(bias, node.real("beta", 1.0));
    parameters["bias"] = std::move(bias);
  }
  auto layer =
      std::make_unique<Linear>(Linear::Options{.in_features = weight.shape[1], .out_features = out, .bias = has_bias});
  parameters["weight"] = std::move(weight);
  add(node, input, std::move(layer), std::move(parameters), 1);
}

void GraphImporter::mat_mul(const NodeReader& node) {
  node.only({});
  if (adaptive_pool(node)) return;
  const int input = layer(node, 0);
  node.require(is_flat(shape_of(input)), "its first input ", shape_of(input), " is no list of features (N, F)");
  const FileTensor matrix = floats(node, 1, "weights");
  node.require(matrix.shape.rank() == 2 && matrix.shape.elements() > 0, "its weights are ", matrix.shape,
               " instead of a matrix");
  FileTensor weight = transposed(matrix);
  auto layer = std::make_unique<Linear>(
      Linear::Options{.in_features = weight.shape[1], .out_features = weight.shape[0], .bias = false});
  std::map<std::string, FileTensor> parameters;
  parameters["weight"] = std::move(weight);
  add(node, input, std::move(layer), std::move(parameters), 1);
}

void GraphImporter::lrn(const NodeReader& node) {
  node.only({"alpha", "beta", "bias", "size"});
  const int input = layer(node, 0);
  const std::int64_t size = node.integer("size", 0);
  node.require(size >= 1 && size <= 1'000'000 && size % 2 == 1, "its size is ", size,
               "; windows of an odd number of channels are supported");
  node.require(shape_of(input).rank() == 4, "its input ", shape_of(input), " is no image");
  add(node, input,
      std::make_unique<LocalResponseNorm>(LocalResponseNormAttributes{.size = size,
                                                                      .alpha = node.real("alpha", 1e-4),
                                                                      .beta = node.real("beta", 0.75),
                                                                      .k = node.real("bias", 1.0)}));
}

void GraphImporter::gelu(const NodeReader& node) {
  node.only({"approximate"});
  const std::string approximate = node.text("approximate", "none");
  node.require(approximate == "none", "the approximation ", printable_name(approximate), " is not supported");
  add(node, layer(node, 0), std::make_unique<GELU>());
}

void GraphImporter::dropout(const NodeReader& node) {
  node.only({"ratio", "seed", "is_test"});
  node.require(opset_ >= 7 || node.integer("is_test", 0) != 0,
               "is in training mode; export the network in evaluation mode");
  double ratio = node.real("ratio", 0.5);
  if (node.has_input(1)) {
    const FileTensor given = floats(node, 1, "ratio");
    node.require(given.shape.elements() == 1, "its ratio is ", given.shape, " instead of one number");
    ratio = static_cast<double>(first_of(given));
  }
  if (node.has_input(2)) {
    const onnx::TensorProto* training = constant(node, 2);
    const bool off = training != nullptr && training->data_type() == onnx::TensorProto::BOOL &&
                     training->int32_data_size() <= 1 &&
                     (training->int32_data_size() == 0 || training->int32_data(0) == 0) &&
                     training->raw_data() != std::string(1, '\1');
    node.require(off, "is in training mode; export the network in evaluation mode");
  }
  add(node, layer(node, 0), std::make_unique<Dropout>(ratio));
}

void GraphImporter::add_flatten(const NodeReader& node, int input) {
  const Shape shape = shape_of(input);
  if (is_flat(shape)) {
    set(node, {.kind = Kind::layer, .layer = input});
    return;
  }
  const bool after_pool =
      input != GraphLayer::kInput && is_pixel(shape) && readers_[node.input(0)] == 1 &&
      dynamic_cast<AdaptiveAvgPool2d*>(layers_[static_cast<std::size_t>(input)].layer.get()) != nullptr;
  if (after_pool) {
    GraphLayer& pool = layers_[static_cast<std::size_t>(input)];
    pool.layer = std::make_unique<GlobalAvgPool>();
    pool.shape = {1, shape[1]};
    set(node, {.kind = Kind::layer, .layer = input});
    return;
  }
  add(node, input, std::make_unique<Flatten>());
}

void GraphImporter::flatten(const NodeReader& node) {
  node.only({"axis"});
  const int input = layer(node, 0);
  const std::int64_t axis = node.integer("axis", 1), rank = shape_of(input).rank();
  node.require(axis == 1 || axis == 1 - rank, "only flattening from axis 1 on is supported");
  add_flatten(node, input);
}

/// (N, C, H, W) to (N, -1), or to the same shape; weights to any shape.
void GraphImporter::reshape(const NodeReader& node) {
  node.only({"allowzero"});
  if (const onnx::TensorProto* tensor = constant(node, 0)) return reshape_constant(node, *tensor);
  const int input = layer(node, 0);
  const Shape from = shape_of(input);
  const Integers to = node.has_input(1) ? integers(node, 1) : node.integers("shape");
  const bool keeps_batch = !to.empty() && (to[0] == 0 || to[0] == kBatch || (batch_ > 0 && to[0] == batch_) ||
                                           (to[0] == -1 && std::count(to.begin(), to.end(), -1) == 1));
  node.require(keeps_batch && node.integer("allowzero", 0) == 0, "changes the batch, which is not supported");
  const std::int64_t features = from.elements();
  if (to.size() == 2 && (to[1] == -1 || to[1] == features)) return add_flatten(node, input);
  bool same = static_cast<int>(to.size()) == from.rank();
  for (int axis = 1; same && axis < from.rank(); ++axis) {
    const std::int64_t extent = to[static_cast<std::size_t>(axis)];
    same = extent == from[axis] || extent == 0 || (extent == -1 && to[0] != -1);
  }
  node.require(same, "only reshaping to (N, features) is supported");
  set(node, {.kind = Kind::layer, .layer = input});
}

void GraphImporter::squeeze(const NodeReader& node) {
  node.only({"axes"});
  if (value(node, 0).kind == Kind::integers) return set(node, value(node, 0));
  const int input = layer(node, 0);
  Integers without = axes(node, 1);
  for (std::int64_t& axis : without) axis += axis < 0 ? 4 : 0;
  std::sort(without.begin(), without.end());
  node.require(is_pixel(shape_of(input)) && without == Integers{2, 3},
               "only (N, C, 1, 1) without its last two axes is supported");
  add_flatten(node, input);
}

void GraphImporter::softmax(const NodeReader& node) {
  node.only({"axis"});
  const int input = layer(node, 0);
  const std::int64_t axis = node.integer("axis", opset_ >= 13 ? -1 : 1);
  const Shape x = shape_of(input);
  const bool over_classes = (is_flat(x) && (axis == 1 || axis == -1)) || (is_pixel(x) && (axis == 1 || axis == -3));
  node.require(over_classes && node.output() == output_name_, "is supported only as the output, over all classes");
  add_flatten(node, input);  // a weights file has logits
}

}  // namespace minception::exchange
