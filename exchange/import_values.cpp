/// Arithmetic: normalisation of the input, biases, factors, GELU and the Add of residual connections.

#include "exchange/graph_importer.h"
#include "layers/basic_conv2d.h"
#include "layers/gelu.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "models/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace minception::exchange {
namespace {

/// One number per channel of an image, (C, 1, 1) or (1, C, 1, 1).
bool is_per_channel(const Shape& shape, std::int64_t channels) {
  return shape.elements() == channels && shape.rank() >= 3 && shape[shape.rank() - 3] == channels;
}

bool is_near(double value, double expected) { return std::abs(value - expected) < 1e-6; }

}  // namespace

void GraphImporter::binary(const NodeReader& node) {
  node.only({});
  const OnnxValue a = value(node, 0), b = value(node, 1);
  node.require(a.kind != Kind::integers && b.kind != Kind::integers, "computes with shapes, which is not supported");
  node.require(a.tensor == nullptr || b.tensor == nullptr, "computes with constants, which is not supported");
  if (b.tensor != nullptr) return with_constant(node, a, 1);
  if (a.tensor != nullptr) return with_constant(node, b, 0);
  if (node.op() == "Mul") {
    const OnnxValue& cdf = a.kind == Kind::cdf ? a : b;
    const OnnxValue& x = a.kind == Kind::cdf ? b : a;
    const bool is_gelu =
        cdf.kind == Kind::cdf && (x.kind == Kind::scaled || x.kind == Kind::layer || x.kind == Kind::input);
    node.require(is_gelu, "only products with a constant, and those of GELU, are supported");
    const int input = x.kind == Kind::scaled ? x.layer : layer_of(node, x);
    node.require(input == cdf.layer, "only products with a constant, and those of GELU, are supported");
    const double factor = cdf.factor * (x.kind == Kind::scaled ? x.factor : 1.0);
    if (is_near(factor, 0.5)) return add(node, input, std::make_unique<GELU>());
    return set(node, {.kind = Kind::gelu, .layer = input, .factor = factor});
  }
  node.require(node.op() == "Add", "is supported with a constant only");
  join_add(node, a, b);
}

void GraphImporter::sum(const NodeReader& node) {
  node.only({});
  if (node.proto().input_size() == 1) return set(node, value(node, 0));
  node.require(node.proto().input_size() == 2, "adds ", node.proto().input_size(), " values; two are supported");
  join_add(node, value(node, 0), value(node, 1));
}

void GraphImporter::join_add(const NodeReader& node, const OnnxValue& a, const OnnxValue& b) {
  node.require(a.kind != Kind::scaled || b.kind != Kind::scaled, "both inputs have a factor; one is supported");
  const int first = a.kind == Kind::scaled ? a.layer : layer_of(node, a);
  const int second = b.kind == Kind::scaled ? b.layer : layer_of(node, b);
  const Shape shape = shape_of(first);
  node.require(shape == shape_of(second), "adds ", shape, " and ", shape_of(second));
  GraphLayer join{
      .where = node.where(), .path = path(node), .inputs = {first, second}, .join = Join::add, .shape = shape};
  if (a.kind == Kind::scaled) join.scaled = 0;
  if (b.kind == Kind::scaled) join.scaled = 1;
  if (join.scaled >= 0) join.scale = a.kind == Kind::scaled ? a.factor : b.factor;
  layers_.push_back(std::move(join));
  set(node, {.kind = Kind::layer, .layer = static_cast<int>(layers_.size()) - 1});
}

void GraphImporter::with_constant(const NodeReader& node, const OnnxValue& x, int constant_input) {
  const FileTensor constant_values = floats(node, constant_input, "constants");
  const bool is_scalar = constant_values.shape.elements() == 1, constant_first = constant_input == 0;
  node.require(constant_values.shape.elements() >= 1, "computes with an empty constant");
  const std::string& op = node.op();
  if (x.kind == Kind::input && !input_used_) return affine(node, x, constant_values, constant_first);
  if (op == "Add" && add_bias(node, x, 1 - constant_input, constant_values)) return;
  if ((op == "Add" || op == "Mul") && into_batch_norm(node, x, 1 - constant_input, constant_values)) return;
  node.require(
      is_scalar, "computes with a constant of shape ", constant_values.shape,
      ", which is supported at the input, as a bias after Conv and MatMul, and per channel after BatchNormalization");
  const double c = static_cast<double>(first_of(constant_values));
  if (op == "Add" && x.kind == Kind::erf) {
    node.require(is_near(c, 1.0), "adds ", c, " to Erf; only the 1 of GELU is supported");
    return set(node, {.kind = Kind::cdf, .layer = x.layer, .factor = 1.0});
  }
  if (op == "Mul") return scale(node, x, c);
  node.require(op == "Div" && !constant_first, "with a constant is not supported here");
  scale(node, x, 1.0 / c);
}

void GraphImporter::scale(const NodeReader& node, const OnnxValue& x, double factor) {
  node.require(std::isfinite(factor), "multiplies by a number that is not finite");
  OnnxValue result = x;
  result.factor = factor;
  if (x.kind == Kind::scaled || x.kind == Kind::cdf || x.kind == Kind::gelu) {
    result.factor *= x.factor;
  } else {
    result.layer = layer_of(node, x);
    result.kind = Kind::scaled;
  }
  if (result.kind == Kind::gelu && is_near(result.factor, 0.5)) {
    return add(node, result.layer, std::make_unique<GELU>());
  }
  // c * (k + s)^-beta = (c^(-1/beta) * (k + s))^-beta
  if (x.kind == Kind::layer && result.layer >= 0 && factor > 0.0) {
    GraphLayer& before = layers_[static_cast<std::size_t>(result.layer)];
    const auto* norm = dynamic_cast<const LocalResponseNorm*>(before.layer.get());
    if (norm != nullptr && norm->options().beta > 0.0 && readers_[node.input(0)] == 1) {
      LocalResponseNormAttributes attributes = norm->options();
      const double inner = std::pow(factor, -1.0 / attributes.beta);
      attributes.k *= inner;
      attributes.alpha *= inner;
      before.layer = std::make_unique<LocalResponseNorm>(attributes);
      return set(node, {.kind = Kind::layer, .layer = result.layer});
    }
  }
  set(node, std::move(result));
}

/// Normalises the input per channel.
void GraphImporter::affine(const NodeReader& node, OnnxValue x, const FileTensor& values, bool constant_first) {
  const auto channels = static_cast<std::int64_t>(x.channels.size());
  const Shape& shape = values.shape;
  const bool is_scalar = shape.elements() == 1;
  node.require(is_scalar || (x.channel_axis && is_per_channel(shape, channels)), "computes with a constant of shape ",
               shape, "; one number or one per channel is supported");
  for (std::int64_t c = 0; c < channels; ++c) {
    float single = 0.0f;
    std::memcpy(&single, values.bytes.data() + (is_scalar ? 0 : static_cast<std::size_t>(c) * sizeof single),
                sizeof single);
    const auto number = static_cast<double>(single);
    InputChannel& channel = x.channels[static_cast<std::size_t>(c)];
    const std::string& op = node.op();
    if (op == "Add" || op == "Sub") {
      const double sign = op == "Sub" ? -1.0 : 1.0;
      if (constant_first && op == "Sub") {
        channel.scale = -channel.scale;
        channel.shift = number - channel.shift;
      } else {
        channel.shift += sign * number;
      }
    } else {
      node.require(op == "Mul" || !constant_first, "divides by the input");
      const double factor = op == "Mul" ? number : 1.0 / number;
      channel.scale *= factor;
      channel.shift *= factor;
    }
    node.require(std::isfinite(channel.scale) && std::isfinite(channel.shift), "its result is not finite");
  }
  set(node, std::move(x));
}

/// Adds `bias` to the Conv or MatMul before, if that has none.
bool GraphImporter::add_bias(const NodeReader& node, const OnnxValue& x, int data_input, const FileTensor& bias) {
  if (x.kind != Kind::layer || x.layer < 0 || readers_[node.input(data_input)] != 1) return false;
  GraphLayer& before = layers_[static_cast<std::size_t>(x.layer)];
  if (before.layer == nullptr || before.parameters.contains("bias")) return false;
  const Shape& shape = bias.shape;
  const std::int64_t channels = before.shape[1];
  if (shape.elements() != channels) return false;
  std::unique_ptr<Layer> layer;
  if (const auto* linear = dynamic_cast<const Linear*>(before.layer.get())) {
    if (shape.rank() < 1 || shape[shape.rank() - 1] != channels) return false;
    Linear::Options options = linear->options();
    options.bias = true;
    layer = std::make_unique<Linear>(options);
  } else if (const auto* conv = dynamic_cast<const Conv2d*>(before.layer.get())) {
    if (!is_per_channel(shape, channels)) return false;
    Conv2d::Options options = conv->options();
    options.bias = true;
    layer = std::make_unique<Conv2d>(options);
  } else {
    return false;
  }
  before.layer = std::move(layer);
  before.parameters["bias"] = bias;
  before.parameters["bias"].shape = {channels};
  set(node, {.kind = Kind::layer, .layer = x.layer});
  return true;
}

/// Adds to the BatchNormalization before, or multiplies it, per channel: the layer Scale of Caffe.
bool GraphImporter::into_batch_norm(const NodeReader& node, const OnnxValue& x, int data_input,
                                    const FileTensor& values) {
  if (x.kind != Kind::layer || x.layer < 0 || readers_[node.input(data_input)] != 1) return false;
  GraphLayer& before = layers_[static_cast<std::size_t>(x.layer)];
  const bool is_norm = dynamic_cast<const BatchNorm2d*>(before.layer.get()) != nullptr;
  if (!is_norm || !is_per_channel(values.shape, before.shape[1])) return false;
  const std::vector<double> numbers = to_doubles(values);
  for (const char* name : {"weight", "bias"}) {
    FileTensor& parameter = before.parameters.at(name);
    std::vector<double> results = to_doubles(parameter);
    for (std::size_t c = 0; c < results.size(); ++c) {
      if (node.op() == "Mul") {
        results[c] *= numbers[c];
      } else if (name == std::string("bias")) {
        results[c] += numbers[c];
      }
    }
    parameter = to_file_tensor(results, parameter.shape, DType::f32);
  }
  set(node, {.kind = Kind::layer, .layer = x.layer});
  return true;
}

void GraphImporter::erf(const NodeReader& node) {
  node.only({});
  const OnnxValue x = value(node, 0);
  node.require(x.kind == Kind::scaled && is_near(x.factor, 1.0 / std::numbers::sqrt2),
               "is supported only as a part of GELU, of x / sqrt(2)");
  set(node, {.kind = Kind::erf, .layer = x.layer});
}

}  // namespace minception::exchange
