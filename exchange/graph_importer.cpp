#include "exchange/graph_importer.h"
#include "layers/relu.h"

#include <algorithm>
#include <cctype>

namespace minception::exchange {
namespace {

constexpr int kMostNodes = 20'000;
constexpr std::int64_t kLargestExtent = 1'000'000;
constexpr std::int64_t kLargestImage = std::int64_t{1} << 28;

std::string lower(std::string text) {
  for (char& letter : text) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return text;
}

}  // namespace

GraphImporter::GraphImporter(const onnx::ModelProto& model, const Shape& size) : model_(model), graph_(model.graph()) {
  for (const onnx::OperatorSetIdProto& each : model.opset_import()) {
    if (each.domain().empty() || each.domain() == "ai.onnx") opset_ = each.version();
  }
  require(graph_.node_size() <= kMostNodes, "has ", graph_.node_size(), " nodes; at most ", kMostNodes,
          " are supported");
  if (opset_ == 0) handler(NodeReader(graph_.node(0), 0));  // a file of operators of another domain
  require(opset_ >= 6, "uses version ", opset_, " of the ONNX operators; 6 or later is needed");
  std::string names;
  for (const auto& output : graph_.output()) names += (names.empty() ? "" : ", ") + printable_name(output.name());
  require(graph_.output_size() == 1, "has the outputs ", names.empty() ? "(none)" : names,
          "; exactly one is needed, the logits of all classes");
  output_name_ = graph_.output(0).name();
  for (const int n : needed_nodes()) handler(NodeReader(graph_.node(n), n));
  read_constants();
  read_input(size);
  for (const onnx::NodeProto& node : graph_.node()) {
    for (const std::string& input : node.input()) ++readers_[input];
  }
  ++readers_[output_name_];
}

void GraphImporter::read_constants() {
  for (const onnx::TensorProto& tensor : graph_.initializer()) {
    values_[tensor.name()] = {.kind = Kind::constant, .tensor = &tensor};
  }
}

void GraphImporter::read_input(const Shape& size) {
  const onnx::ValueInfoProto* found = nullptr;
  for (const onnx::ValueInfoProto& input : graph_.input()) {
    if (values_.contains(input.name())) continue;  // a default value of IR versions before 4
    require(found == nullptr, "has the inputs ", found == nullptr ? "" : printable_name(found->name()), " and ",
            printable_name(input.name()), "; exactly one is supported, the images");
    found = &input;
  }
  require(found != nullptr, "has no input");
  input_name_ = found->name();
  const std::string where = "the input " + printable_name(input_name_);
  const auto& type = found->type().tensor_type();
  pixels_ = type.elem_type() == onnx::TensorProto::UINT8;
  require(pixels_ || type.elem_type() == onnx::TensorProto::FLOAT, where, " has the data type ", type.elem_type(),
          "; f32 or u8 are needed");
  require(type.has_shape() && type.shape().dim_size() == 4, where, " has ", type.shape().dim_size(),
          " axes; images (N, C, H, W) are needed");
  image_ = {0, 0, 0};
  for (int axis = 0; axis < 3; ++axis) {
    std::int64_t extent = type.shape().dim(axis + 1).dim_value();
    if (extent == 0 && axis > 0 && size.rank() == 2) extent = size[axis - 1];
    require(extent != 0, where,
            axis == 0 ? " does not fix the number of channels"
                      : " does not fix height and width: give "
                        "the size of the images");
    require(extent >= 1 && extent <= kLargestExtent, where, " has an extent of ", extent);
    image_[axis] = extent;
  }
  require(image_.elements() <= kLargestImage, where, " has images of ", image_, ": more than 2^28 values");
  batch_ = std::max<std::int64_t>(type.shape().dim(0).dim_value(), 0);
  input_ = image_;
  OnnxValue value{.kind = Kind::input};
  for (std::int64_t c = 0; c < image_[0]; ++c) value.channels.push_back({.channel = c});
  values_[input_name_] = std::move(value);
}

/// In the order of the file, the nodes that the output depends on.
std::vector<int> GraphImporter::needed_nodes() const {
  std::map<std::string, std::pair<int, int>> writers;  // node and output
  for (int n = 0; n < graph_.node_size(); ++n) {
    for (int o = 0; o < graph_.node(n).output_size(); ++o) {
      if (!graph_.node(n).output(o).empty()) writers[graph_.node(n).output(o)] = {n, o};
    }
  }
  std::vector<bool> needed(static_cast<std::size_t>(graph_.node_size()), false);
  std::vector<std::string> pending = {output_name_};
  while (!pending.empty()) {
    const auto writer = writers.find(pending.back());
    pending.pop_back();
    if (writer == writers.end()) continue;
    const auto [n, o] = writer->second;
    require(o == 0, NodeReader(graph_.node(n), n).where(), ": its output ", o, " is used; only the first is supported");
    if (needed[static_cast<std::size_t>(n)]) continue;
    needed[static_cast<std::size_t>(n)] = true;
    pending.insert(pending.end(), graph_.node(n).input().begin(), graph_.node(n).input().end());
  }
  std::vector<int> order;
  for (int n = 0; n < graph_.node_size(); ++n) {
    if (needed[static_cast<std::size_t>(n)]) order.push_back(n);
  }
  return order;
}

void GraphImporter::run() {
  for (const int n : needed_nodes()) {
    const NodeReader node(graph_.node(n), n);
    node.require(!values_.contains(node.output()), "writes ", printable_name(node.output()),
                 ", which already has a value");
    try {
      handler(node)(*this, node);
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with("node ")) throw;
      node.fail(what);
    }
  }
  const auto found = values_.find(output_name_);
  require(found != values_.end(), "no node writes the output ", printable_name(output_name_));
  onnx::NodeProto end;
  end.set_op_type("output");
  end.set_name(output_name_);
  end.add_input(output_name_);
  end.add_output("");
  output_ = layer(NodeReader(end, 0), 0);
  const Shape logits = shape_of(output_);
  if (logits.rank() == 4 && logits[2] == 1 && logits[3] == 1) {  // (N, classes, 1, 1)
    end.clear_name();
    end.set_op_type("Flatten");
    add_flatten(NodeReader(end, graph_.node_size()), output_);
    output_ = values_[end.output(0)].layer;
  }
  require(output_ != GraphLayer::kInput, "the output is the input: the network has no layers");
}

/// Throws Error for an operator that is not supported.
const GraphImporter::Handler& GraphImporter::handler(const NodeReader& node) {
  static const std::map<std::string, Handler> handlers = {
      {"Conv", &GraphImporter::conv},
      {"MaxPool", [](GraphImporter& g, const NodeReader& n) { g.pool(n, true); }},
      {"AveragePool", [](GraphImporter& g, const NodeReader& n) { g.pool(n, false); }},
      {"GlobalAveragePool", &GraphImporter::global_pool},
      {"ReduceMean", &GraphImporter::reduce_mean},
      {"BatchNormalization", &GraphImporter::batch_norm},
      {"Gemm", &GraphImporter::gemm},
      {"MatMul", &GraphImporter::mat_mul},
      {"LRN", &GraphImporter::lrn},
      {"Gelu", &GraphImporter::gelu},
      {"Relu", [](GraphImporter& g, const NodeReader& n) { g.add(n, g.layer(n, 0), std::make_unique<ReLU>()); }},
      {"Dropout", &GraphImporter::dropout},
      {"Flatten", &GraphImporter::flatten},
      {"Reshape", &GraphImporter::reshape},
      {"Squeeze", &GraphImporter::squeeze},
      {"Concat", &GraphImporter::concat_values},
      {"Softmax", &GraphImporter::softmax},
      {"Add", &GraphImporter::binary},
      {"Sum", &GraphImporter::sum},
      {"Sub", &GraphImporter::binary},
      {"Mul", &GraphImporter::binary},
      {"Div", &GraphImporter::binary},
      {"Erf", &GraphImporter::erf},
      {"Pad", &GraphImporter::pad},
      {"Gather", &GraphImporter::gather},
      {"Unsqueeze", &GraphImporter::unsqueeze},
      {"Slice", &GraphImporter::slice},
      {"Shape", &GraphImporter::shape},
      {"Cast", &GraphImporter::cast},
      {"Resize", &GraphImporter::resize},
      {"Identity", [](GraphImporter& g, const NodeReader& n) { g.set(n, g.value(n, 0)); }},
      {"Constant", &GraphImporter::set_constant},
      {"ConstantOfShape", &GraphImporter::constant_of_shape},
  };
  const auto found = handlers.find(node.op());
  if (found == handlers.end()) {
    std::string known;
    for (const auto& [name, function] : handlers) known += (known.empty() ? "" : ", ") + name;
    node.fail("this operator is not supported; supported are ", known);
  }
  return found->second;
}

const OnnxValue& GraphImporter::value(const NodeReader& node, int index) const {
  const std::string& name = node.input(index);
  const auto found = values_.find(name);
  node.require(found != values_.end(), "reads ", printable_name(name),
               ", which is neither an initializer nor written by an earlier node");
  return found->second;
}

void GraphImporter::set(const NodeReader& node, OnnxValue value) {
  value.where = node.where();
  values_[node.output()] = std::move(value);
}

const onnx::TensorProto* GraphImporter::constant(const NodeReader& node, int index) const {
  return value(node, index).tensor;
}

FileTensor GraphImporter::floats(const NodeReader& node, int index, const char* what) const {
  const onnx::TensorProto* tensor = constant(node, index);
  node.require(tensor != nullptr, "its ", what, " are not constant");
  return floats_of(*tensor);
}

GraphImporter::Integers GraphImporter::integers(const NodeReader& node, int index) const {
  const OnnxValue& found = value(node, index);
  if (found.kind == Kind::integers) return found.integers;
  node.require(found.kind == Kind::constant, "its input ", index, " is not constant");
  return integers_of(*found.tensor);
}

GraphImporter::Integers GraphImporter::axes(const NodeReader& node, int input) const {
  return node.has_input(input) ? integers(node, input) : node.integers("axes");
}

int GraphImporter::layer(const NodeReader& node, int index) { return layer_of(node, value(node, index)); }

int GraphImporter::layer_of(const NodeReader& node, const OnnxValue& value) {
  switch (value.kind) {
    case Kind::layer:
      return value.layer;
    case Kind::input: {
      bool complete = value.channel_axis && static_cast<std::int64_t>(value.channels.size()) == image_[0];
      for (std::size_t c = 0; complete && c < value.channels.size(); ++c) {
        complete = value.channels[c].channel == static_cast<std::int64_t>(c);
      }
      node.require(complete, "reads some of the channels of the input, or in another order");
      const bool same = !input_used_ || channels_ == value.channels;
      node.require(same && value.resized == (input_ != image_), "the input is normalised or resized in several ways");
      channels_ = value.channels;
      input_used_ = true;
      return GraphLayer::kInput;
    }
    case Kind::constant:
    case Kind::integers:
      node.fail("computes with constants instead of the output of a layer");
    case Kind::scaled:
      node.fail("reads the result of ", value.where,
                ": a factor is supported at the input, after LRN, and in one input of an Add");
    case Kind::padded:
      node.fail("reads the result of ", value.where, ": padding is supported before a convolution and a pool");
    case Kind::averaged:
      node.fail("reads the result of ", value.where, ", which is supported only as a part of adaptive pooling");
    case Kind::erf:
    case Kind::cdf:
    case Kind::gelu:
      break;
  }
  node.fail("reads the result of ", value.where, ", which is supported only as a part of GELU");
}

Shape GraphImporter::shape_of(int layer) const {
  if (layer == GraphLayer::kInput) return {1, input_[0], input_[1], input_[2]};
  return layers_[static_cast<std::size_t>(layer)].shape;
}

/// The name of the layer according to its weights, "conv1" for "conv1.weight", or to the node.
std::string GraphImporter::path(const NodeReader& node, int weight) const {
  std::string text;
  if (weight >= 0) {
    const std::string& name = node.input(weight);
    const std::size_t dot = name.rfind('.');
    if (dot != std::string::npos && dot > 0 && name.find("::") == std::string::npos) text = name.substr(0, dot);
  }
  if (text.empty()) {  // "/inception3a/branch1/conv/Conv" of PyTorch
    text = node.proto().name();
    if (text.starts_with("/")) {
      const std::size_t slash = text.rfind('/');
      text = text.substr(1, slash == 0 ? std::string::npos : slash - 1);
    } else if (text.starts_with(node.op() + "_")) {  // "Conv_0"
      text.clear();
    }
    std::replace(text.begin(), text.end(), '/', '.');
  }
  const bool is_printable = std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f;  // weights files cannot hold bytes that are not UTF-8
  });
  const bool complete = text.find("..") == std::string::npos && !text.starts_with('.') && !text.ends_with('.');
  return is_printable && complete ? text : "";
}

void GraphImporter::add(const NodeReader& node, int input, std::unique_ptr<Layer> layer,
                        std::map<std::string, FileTensor> parameters, int weight) {
  const Shape x = shape_of(input);
  layer->infer(lower(node.op()), x);
  const Shape y = layer->output_shape(x);
  node.require(fits_memory(y), "its output ", y, " is larger than any memory");
  layers_.push_back({.where = node.where(),
                     .path = path(node, weight),
                     .fallback = lower(node.op()),
                     .inputs = {input},
                     .layer = std::move(layer),
                     .shape = y,
                     .parameters = std::move(parameters)});
  set(node, {.kind = Kind::layer, .layer = static_cast<int>(layers_.size()) - 1});
}

bool GraphImporter::read_once(const std::string& name) const {
  const auto found = readers_.find(name);
  return found != readers_.end() && found->second == 1;
}

}  // namespace minception::exchange
