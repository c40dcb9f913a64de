#include "exchange/onnx_export.h"
#include "exchange/graph_writer.h"
#include "exchange/onnx_messages.h"
#include "exchange/plan_values.h"
#include "exchange/plan_weights.h"
#include "models/weights_file.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace minception {

using namespace exchange;

namespace {

using Integers = std::vector<std::int64_t>;

/// Adds the nodes of the steps of an inference plan, one step after the other.
class Converter {
 public:
  Converter(const Network& network, const std::map<std::string, FileTensor>& state, const OnnxExportOptions& options,
            onnx::GraphProto& graph)
      : network_(network),
        options_(options),
        plan_(network.plan(Mode::inference)),
        graph_(graph),
        values_(plan_, graph_),
        weights_(plan_, network.parameters(), state, graph_) {}

  void convert() {
    const ModelConfig& config = network_.model().config;
    set_input();
    for (const Step& step : plan_.steps()) {
      layer_ = step.layer;
      std::visit([&](const auto& op) { add(op); }, step.operation);
    }
    if (options_.softmax) logits_ = graph_.node("Softmax", "softmax", {logits_}, {{"axis", std::int64_t{1}}});
    graph_.output(logits_, options_.softmax ? kOnnxProbabilities : kOnnxLogits, config.classes);
  }

 private:
  // ---- input ---------------------------------------------------------------------------------------------------------

  /// y = x * scale + shift, with one value for all channels or one per channel.
  template <class T>
  std::string affine(const std::string& name, std::string x, const std::vector<T>& scale, const std::vector<T>& shift) {
    const auto apply = [&](const char* op, const char* what, const std::vector<T>& values) {
      const std::vector<float> floats(values.begin(), values.end());
      const Shape shape = {1, static_cast<std::int64_t>(floats.size()), 1, 1};
      x = graph_.node(op, concat(name, ".", what),
                      {x, graph_.constant(concat(name, ".", what, ".value"), shape, floats)});
    };
    apply("Mul", "scale", scale);
    apply("Add", "shift", shift);
    return x;
  }

  /// The tensor that the first layer reads. A network for Network::set_input has no step that writes it.
  Tensor find_input() {
    for (const Step& step : plan_.steps()) {
      load_ = std::get_if<LoadBatch>(&step.operation);
      if (load_ != nullptr) return load_->y;
      Tensor x;
      for_each_operand(step.operation, [&](std::string_view, const Tensor& tensor, Access access) {
        const bool in_arena = plan_.storages()[static_cast<std::size_t>(tensor.storage)].in_arena;
        if (access == Access::read && in_arena && !x.defined()) x = tensor;
      });
      if (x.defined()) return x;
    }
    fail("the network has no layers");
  }

  /// Resize yields floor(in * scale) pixels: the product must not be rounded to less than `out`.
  static float resize_scale(std::int64_t in, std::int64_t out) {
    const auto product = [&](float scale) { return static_cast<float>(in) * scale; };
    float scale = static_cast<float>(out) / static_cast<float>(in);
    while (product(scale) < static_cast<float>(out))
      scale = std::nextafter(scale, std::numeric_limits<float>::infinity());
    return scale;
  }

  void set_input() {
    const Tensor x = find_input();
    if (!options_.preprocessing) {
      const Model& model = network_.model();
      graph_.input(kOnnxInput, onnx::TensorProto::FLOAT, model.config.input);
      const bool transforms = !model.input_scale.empty();
      values_.write(x, transforms ? affine("transform_input", kOnnxInput, model.input_scale, model.input_shift)
                                  : std::string(kOnnxInput));
      return;
    }
    require(load_ != nullptr,
            "preprocessing can only be exported with NetworkOptions::dataset_image, the size of its images");
    const Shape from = {x.c(), load_->images.h(), load_->images.w()};
    graph_.input(kOnnxImage, onnx::TensorProto::UINT8, from);
    std::string value = graph_.node("Cast", "preprocessing.cast", {kOnnxImage},
                                    {{"to", static_cast<std::int64_t>(onnx::TensorProto::FLOAT)}});
    if (from[1] != x.h() || from[2] != x.w()) {
      // Sizes instead of scales would fix N, or need `axes`, which not every runtime supports.
      const float scales[] = {1.0f, 1.0f, resize_scale(from[1], x.h()), resize_scale(from[2], x.w())};
      value = graph_.node(
          "Resize", "preprocessing.resize", {value, "", graph_.constant("preprocessing.scales", Shape{4}, scales)},
          {{"mode", std::string("linear")}, {"coordinate_transformation_mode", std::string("half_pixel")}});
    }
    values_.write(x, affine("preprocessing", value, load_->scale, load_->shift));
  }

  void add(const LoadBatch&) {}

  // ---- layers --------------------------------------------------------------------------------------------------------

  void write(const Tensor& y, std::string value, const std::string& name, bool relu) {
    values_.write(y, relu ? graph_.node("Relu", name + ".relu", {value}) : value);
  }
  std::string read(const Tensor& x) { return values_.read(x, layer_); }
  std::string scalar(const char* what, double value) {
    const float single = static_cast<float>(value);
    return graph_.constant(concat(layer_, ".", what), Shape{}, {&single, 1});
  }

  static Integers pads(Extent2d before, Extent2d after) { return {before.h, before.w, after.h, after.w}; }

  static std::string without_suffix(const std::string& name) { return name.substr(0, name.rfind('.')); }

  std::string batch_norm(const std::string& name, const std::string& x, double epsilon, const Tensor& gamma,
                         const Tensor& beta, const Tensor& mean, const Tensor& var) {
    return graph_.node("BatchNormalization", name,
                       {x, weights_.initializer(gamma), weights_.initializer(beta), weights_.initializer(mean),
                        weights_.initializer(var)},
                       {{"epsilon", static_cast<float>(epsilon)}});
  }

  /// One convolution, whose weights begin at row `row` of `w` and `bias`.
  void convolve(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y, std::int64_t row,
                const Conv2dAttributes& attributes) {
    const FoldBatchNorm* fold = weights_.fold_of(w, row);
    const Parameter& weight = fold != nullptr ? weights_.parameter(fold->w) : weights_.parameter(w, row);
    std::vector<std::string> inputs = {read(x)};
    if (fold != nullptr && options_.fold_batch_norm) {
      const auto [folded_weight, folded_bias] = weights_.folded(*fold);
      inputs.insert(inputs.end(), {folded_weight, folded_bias});
    } else {
      inputs.push_back(weights_.initializer(weight));
      if (fold == nullptr && bias.defined()) inputs.push_back(weights_.initializer(bias, row));
    }
    const std::string name = without_suffix(weight.name);
    const auto& [stride, padding, relu] = attributes;
    std::string value = graph_.node("Conv", name, inputs,
                                    {{"kernel_shape", Integers{weight.shape[2], weight.shape[3]}},
                                     {"strides", Integers{stride.h, stride.w}},
                                     {"pads", pads(padding, padding)}});
    if (fold != nullptr && !options_.fold_batch_norm) {
      value = batch_norm(without_suffix(weights_.parameter(fold->gamma).name), value, fold->epsilon, fold->gamma,
                         fold->beta, fold->running_mean, fold->running_var);
    }
    write(y, value, name, relu);
  }

  void add(const FoldBatchNorm& op) { weights_.fold(op); }
  void add(const Conv2dForward& op) { convolve(op.x, op.w, op.bias, op.y, 0, op.attributes); }
  void add(const Conv2dFused1x1Forward& op) {
    std::int64_t row = 0;
    for (const Tensor& y : op.y) {
      convolve(op.x, op.w, op.bias, y, row, {.relu = op.relu});
      row += y.c();
    }
  }
  void add(const LinearForward& op) {
    std::vector<std::string> inputs = {read(op.x), weights_.initializer(op.w)};
    if (op.bias.defined()) inputs.push_back(weights_.initializer(op.bias));
    values_.write(op.y, graph_.node("Gemm", layer_, inputs, {{"transB", std::int64_t{1}}}));
  }
  void add(const BatchNormForwardInference& op) {
    const std::string value =
        batch_norm(layer_, read(op.x), op.attributes.epsilon, op.gamma, op.beta, op.running_mean, op.running_var);
    write(op.y, value, layer_, op.attributes.relu);
  }

  /// Rows and columns by which windows of ceil_mode exceed the padded input.
  static Extent2d overhang(const Pool2dAttributes& windows, const Tensor& x, const Tensor& y) {
    const auto along = [](std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                          std::int64_t padding) {
      return std::max<std::int64_t>((out - 1) * stride + kernel - in - 2 * padding, 0);
    };
    const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = windows;
    return {along(x.h(), y.h(), kernel.h, stride.h, padding.h), along(x.w(), y.w(), kernel.w, stride.w, padding.w)};
  }

  // Runtimes differ in ceil_mode, so its windows are written as padding at the end.
  void add(const MaxPool2dForward& op) {
    const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = op.attributes;
    const Extent2d extra = overhang(op.attributes, op.x, op.y);
    values_.write(op.y, graph_.node("MaxPool", layer_, {read(op.x)},
                                    {{"kernel_shape", Integers{kernel.h, kernel.w}},
                                     {"strides", Integers{stride.h, stride.w}},
                                     {"pads", pads(padding, {padding.h + extra.h, padding.w + extra.w})}}));
  }
  void add(const AvgPool2dForward& op) {
    const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = op.attributes;
    const Extent2d extra = overhang(op.attributes, op.x, op.y);
    const bool overhangs = extra.h > 0 || extra.w > 0;
    std::string x = read(op.x);
    Extent2d before = padding, after = padding;
    if (overhangs && count_include_pad && padding != Extent2d(0)) {
      // The divisor counts padding, but not what ceil_mode adds: the padding becomes part of the input.
      const Integers amounts = {0, 0, padding.h, padding.w, 0, 0, padding.h, padding.w};
      x = graph_.node("Pad", layer_ + ".pad", {x, graph_.constant(layer_ + ".padding", amounts)});
      before = after = 0;
    }
    values_.write(op.y, graph_.node("AveragePool", layer_, {x},
                                    {{"kernel_shape", Integers{kernel.h, kernel.w}},
                                     {"strides", Integers{stride.h, stride.w}},
                                     {"pads", pads(before, {after.h + extra.h, after.w + extra.w})},
                                     {"count_include_pad", std::int64_t{count_include_pad && !overhangs ? 1 : 0}}}));
  }
  void add(const AdaptiveAvgPool2dForward& op) {
    const Extent2d in(op.x.h(), op.x.w()), out(op.y.h(), op.y.w());
    std::string value = read(op.x);
    if (out == Extent2d(1)) {
      value = graph_.node("GlobalAveragePool", layer_, {value});
    } else if (in.h % out.h == 0 && in.w % out.w == 0) {
      const Integers windows = {in.h / out.h, in.w / out.w};
      value = graph_.node("AveragePool", layer_, {value}, {{"kernel_shape", windows}, {"strides", windows}});
    } else {
      // Windows of different sizes: y = rows * x * columns, where each entry is 1 / (extent of the window) or 0.
      value = graph_.node("MatMul", layer_ + ".horizontal",
                          {value, graph_.initializer(layer_ + ".columns", averaging_matrix(in.w, out.w, true))});
      value = graph_.node("MatMul", layer_,
                          {graph_.initializer(layer_ + ".rows", averaging_matrix(in.h, out.h, false)), value});
    }
    values_.write(op.y, value);
  }
  void add(const GlobalAvgPoolForward& op) {
    const bool flat = op.y.shape.rank() == 2;
    std::string value = graph_.node("GlobalAveragePool", layer_, {read(op.x)});
    if (flat) value = graph_.node("Flatten", layer_ + ".flatten", {value});
    values_.write(op.y, value);
  }

  void add(const ReluForward& op) { values_.write(op.y, graph_.node("Relu", layer_, {read(op.x)})); }
  // Opset 20 has Gelu.
  void add(const GeluForward& op) {
    const std::string x = read(op.x);
    const std::string scaled = graph_.node("Div", layer_ + ".div", {x, scalar("sqrt2", std::numbers::sqrt2)});
    const std::string erf = graph_.node("Erf", layer_ + ".erf", {scaled});
    const std::string sum = graph_.node("Add", layer_ + ".add", {erf, scalar("one", 1.0)});
    const std::string product = graph_.node("Mul", layer_ + ".mul", {x, sum});
    values_.write(op.y, graph_.node("Mul", layer_, {product, scalar("half", 0.5)}));
  }
  void add(const ConcatForward& op) {
    std::vector<std::string> parts;
    for (const Tensor& x : op.x) parts.push_back(read(x));
    values_.write(op.y,
                  parts.size() == 1 ? parts[0] : graph_.node("Concat", layer_, parts, {{"axis", std::int64_t{1}}}));
  }
  void add(const FlattenForward& op) { values_.write(op.y, graph_.node("Flatten", layer_, {read(op.x)})); }
  void add(const AddForward& op) {
    const std::string a = read(op.a);
    std::string b = read(op.b);
    if (op.scale != 1.0) b = graph_.node("Mul", layer_ + ".scale", {b, scalar("scale.value", op.scale)});
    write(op.y, graph_.node("Add", layer_, {a, b}), layer_, op.relu);
  }
  void add(const LocalResponseNormForward& op) {
    const auto& [size, alpha, beta, k] = op.attributes;
    require(size % 2 == 1, layer_, ": local_response_norm_forward over ", size,
            " channels has no counterpart in ONNX, whose windows of an even size begin one channel later");
    // Some runtimes ignore the attribute bias, so k is factored out: (k + s)^-beta = k^-beta * (1 + s/k)^-beta.
    require(k > 0.0, layer_, ": local_response_norm_forward with k = ", k, " cannot be written for ONNX runtimes");
    std::string value = graph_.node(
        "LRN", layer_, {read(op.x)},
        {{"size", size}, {"alpha", static_cast<float>(alpha / k)}, {"beta", static_cast<float>(beta)}, {"bias", 1.0f}});
    if (k != 1.0) value = graph_.node("Mul", layer_ + ".scale", {value, scalar("scale.value", std::pow(k, -beta))});
    values_.write(op.y, value);
  }
  void add(const SoftmaxCrossEntropy& op) {
    layer_ = "the loss";
    logits_ = read(op.logits);
  }

  template <class Op>
  void add(const Op& op) {
    fail(layer_, ": the operation ", name_of(Operation(op)), " has no counterpart in ONNX");
  }

  const Network& network_;
  const OnnxExportOptions& options_;
  const Plan& plan_;
  GraphWriter graph_;
  PlanValues values_;
  PlanWeights weights_;
  const LoadBatch* load_ = nullptr;
  std::string layer_, logits_;
};

}  // namespace

onnx::ModelProto exchange::to_onnx(const Network& network, const std::map<std::string, FileTensor>& state,
                                   const std::vector<std::string>& class_names, const OnnxExportOptions& options) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("Minception");
  model.add_opset_import()->set_version(17);
  model.mutable_graph()->set_name(network.model().config.name);
  for (const auto& [key, value] : weights_metadata(network, class_names)) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(kOnnxMetadataPrefix + key);
    entry.set_value(value);
  }
  Converter(network, state, options, *model.mutable_graph()).convert();
  return model;
}

bool has_onnx() { return true; }

void export_onnx(const Network& network, const std::vector<std::string>& class_names, const std::filesystem::path& path,
                 const OnnxExportOptions& options) {
  const onnx::ModelProto model = to_onnx(network, network.averaged_state(), class_names, options);
  require(model.ByteSizeLong() <= std::numeric_limits<std::int32_t>::max(), path.string(), ": the network has ",
          model.ByteSizeLong() >> 20, " MiB, but an ONNX file holds 2 GiB at most");
  const std::string bytes = model.SerializeAsString();
  write_file_atomically(path, std::as_bytes(std::span(bytes)));
}

}  // namespace minception
