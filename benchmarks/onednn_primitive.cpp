/// Bare oneDNN primitives other than convolutions.

#include "benchmarks/onednn_peer.h"
#include "benchmarks/onednn_versions.h"
#include "core/error.h"
#include "tests/kernels/precision.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <unordered_map>

namespace minception {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

memory::dims dims_of(const Shape& shape) {
  memory::dims dims;
  for (int i = 0; i < shape.rank(); ++i) dims.push_back(shape[i]);
  return dims;
}

/// Images are NHWC; other ranks are row-major.
Tag tag_of(std::size_t rank) { return rank == 4 ? Tag::nhwc : rank == 2 ? Tag::ab : Tag::a; }
Tag tag_of(const Shape& shape) { return tag_of(static_cast<std::size_t>(shape.rank())); }

class Bare final : public OneDnnPeer {
 public:
  Bare(const Operation& operation, DType storage, const OperandValues& values) {
    std::size_t k = 0;
    for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access access) {
      const DType dtype = dtype_in(storage, operation, role, tensor);
      operands_.push_back({std::string(role), tensor, access, dtype});
      if (access != Access::write) {
        for (std::int64_t i = 0; i < tensor.elements(); ++i) {
          operands_.back().values.push_back(static_cast<float>(values(k, static_cast<std::size_t>(i))));
        }
      }
      ++k;
    });
    std::visit(*this, operation);
    operands_.clear();
  }

  void run() override {
    try {
      for (const auto& [primitive, arguments] : steps_) primitive.execute(stream_, arguments);
      stream_.wait();
    } catch (const dnnl::error& error) {
      fail("oneDNN refused to run ", implementation_, ": ", error.what());
    }
  }

  PeerResults results() const override {
    PeerResults all;
    for (const Output& output : outputs_) {
      memory from = output.values;
      memory plain({output.dims, Type::f32, output.tag}, engine_);
      dnnl::reorder(from, plain).execute(stream_, from, plain);
      stream_.wait();
      const auto* first = static_cast<const float*>(plain.get_data_handle());
      const auto count = std::accumulate(output.dims.begin(), output.dims.end(), std::int64_t{1}, std::multiplies<>());
      all.emplace_back(output.role, std::vector<float>(first, first + count));
    }
    return all;
  }

  std::string implementation() const override { return implementation_; }

  // ---- fully connected ----

  void operator()(const LinearForward& op) {
    const bool biased = op.bias.defined();
    const auto x = plain("x"), y = plain("y");
    auto w = plain("w");
    w = memory::desc(onednn::dims_of(w), data(op), Tag::any);
    using Forward = dnnl::inner_product_forward;
    const auto kind = dnnl::prop_kind::forward_inference;
    const auto d = biased ? onednn::describe<Forward>(engine_, kind, x, w, plain("bias"), y)
                          : onednn::describe<Forward>(engine_, kind, x, w, y);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, in("x")}, {DNNL_ARG_WEIGHTS, in("w", d.weights_desc())}, {DNNL_ARG_DST, out("y")}};
    if (biased) arguments[DNNL_ARG_BIAS] = in("bias");
    add(d, dnnl::inner_product_forward(d), arguments);
  }
  void operator()(const LinearBackwardData& op) {
    const auto dx = plain("dx"), dy = plain("dy");
    const memory::desc w(onednn::dims_of(plain("w")), data(op), Tag::any);
    const auto hint =
        onednn::describe<dnnl::inner_product_forward>(engine_, dnnl::prop_kind::forward_training, dx, w, dy);
    const auto d = onednn::describe_backward<dnnl::inner_product_backward_data>(engine_, hint, dx, w, dy);
    add(d, dnnl::inner_product_backward_data(d),
        {{DNNL_ARG_DIFF_DST, in("dy")}, {DNNL_ARG_WEIGHTS, in("w", d.weights_desc())}, {DNNL_ARG_DIFF_SRC, out("dx")}});
  }
  void operator()(const LinearBackwardWeights& op) {
    const bool biased = op.dbias.defined();
    const auto x = plain("x"), dy = plain("dy");
    const memory::desc dw(onednn::dims_of(plain("dw")), Type::f32, Tag::any);
    const memory::desc w(onednn::dims_of(plain("dw")), data(op), Tag::any);
    const auto hint =
        onednn::describe<dnnl::inner_product_forward>(engine_, dnnl::prop_kind::forward_training, x, w, dy);
    using Backward = dnnl::inner_product_backward_weights;
    const auto d = biased ? onednn::describe_backward<Backward>(engine_, hint, x, dw, plain("dbias"), dy)
                          : onednn::describe_backward<Backward>(engine_, hint, x, dw, dy);
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, in("x")},
                                                 {DNNL_ARG_DIFF_DST, in("dy")},
                                                 {DNNL_ARG_DIFF_WEIGHTS, out("dw", d.diff_weights_desc())}};
    if (biased) arguments[DNNL_ARG_DIFF_BIAS] = out("dbias");
    add(d, Backward(d), arguments);
  }

  // ---- activation ----

  void operator()(const ReluForward&) {
    const auto d = onednn::relu_forward(engine_, dnnl::algorithm::eltwise_relu, plain("x"));
    add(d, dnnl::eltwise_forward(d), {{DNNL_ARG_SRC, in("x")}, {DNNL_ARG_DST, out("y")}});
  }
  void operator()(const ReluBackward&) {
    const auto image = plain("y");
    const auto relu = dnnl::algorithm::eltwise_relu_use_dst_for_bwd;
    const auto hint = onednn::relu_forward(engine_, relu, image);
    const auto d = onednn::relu_backward(engine_, hint, relu, image);
    add(d, dnnl::eltwise_backward(d),
        {{DNNL_ARG_DST, in("y")}, {DNNL_ARG_DIFF_DST, in("dy")}, {DNNL_ARG_DIFF_SRC, out("dx")}});
  }

  // ---- pooling ----

  void operator()(const MaxPool2dForward& op) {
    pool_forward(dnnl::algorithm::pooling_max, op.attributes, op.x, op.y, op.argmax.defined());
  }
  void operator()(const MaxPool2dBackward& op) {
    pool_backward(dnnl::algorithm::pooling_max, op.attributes, op.target.dx, op.dy);
  }
  void operator()(const AvgPool2dForward& op) {
    pool_forward(average(op.attributes), op.attributes, op.x, op.y, false);
  }
  void operator()(const AvgPool2dBackward& op) {
    pool_backward(average(op.attributes), op.attributes, op.target.dx, op.dy);
  }
  void operator()(const AdaptiveAvgPool2dForward& op) {
    pool_forward(dnnl::algorithm::pooling_avg_exclude_padding, tiles(op.x, op.y), op.x, op.y, false);
  }
  void operator()(const AdaptiveAvgPool2dBackward& op) {
    pool_backward(dnnl::algorithm::pooling_avg_exclude_padding, tiles(op.target.dx, op.dy), op.target.dx, op.dy);
  }
  void operator()(const GlobalAvgPoolForward& op) {
    const Tensor y({op.x.n(), op.x.c(), 1, 1}, DType::f32);
    pool_forward(dnnl::algorithm::pooling_avg_exclude_padding, tiles(op.x, y), op.x, y, false);
  }
  void operator()(const GlobalAvgPoolBackward& op) {
    const Tensor dy({op.dy.n(), op.dy.c(), 1, 1}, DType::f32);
    pool_backward(dnnl::algorithm::pooling_avg_exclude_padding, tiles(op.target.dx, dy), op.target.dx, dy);
  }

  // ---- shape ----

  void operator()(const ConcatForward& op) {
    std::vector<memory::desc> parts;
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_DST, out("y")}};
    for (std::size_t j = 0; j < op.x.size(); ++j) {
      parts.push_back(plain("x", j));
      arguments[DNNL_ARG_MULTIPLE_SRC + static_cast<int>(j)] = in("x", parts[j], j);
    }
    const auto d = onednn::concat(engine_, plain("y"), 1, parts);
    add(d, dnnl::concat(d), arguments);
  }
  void operator()(const Split& op) {
    const memory dy = in("dy");
    std::int64_t begin = 0;
    for (std::size_t j = 0; j < op.targets.size(); ++j) {
      const memory dx = out("dx", plain("dx", j));
      const memory::dims dims = onednn::dims_of(dx.get_desc());
      memory::dims offsets(dims.size(), 0);
      offsets[1] = begin;
      begin += op.targets[j].dx.c();
      const memory part(dy.get_desc().submemory_desc(dims, offsets), engine_, dy.get_data_handle());
      reorder(part, dx);
    }
    kept_.push_back(dy);
  }
  /// Flattening is a reorder.
  void operator()(const FlattenForward& op) {
    const memory y({dims_of(op.x.shape), data(op), Tag::nchw}, engine_);
    reorder(in("x"), y);
    outputs_.push_back({"y", dims_of(op.x.shape), Tag::nchw, y});
  }
  void operator()(const FlattenBackward& op) {
    const memory::dims dims = dims_of(op.target.dx.shape);
    reorder(fill({dims, data(op), Tag::nchw}, {dims, Type::f32, Tag::nchw}, find("dy", 0).values), out("dx"));
  }
  void operator()(const AddForward& op) {
    if (op.scale != 1.0) {
      const auto d = onednn::sum(engine_, plain("y"), {1.0f, static_cast<float>(op.scale)}, {plain("a"), plain("b")});
      return add(d, dnnl::sum(d),
                 {{DNNL_ARG_MULTIPLE_SRC, in("a")}, {DNNL_ARG_MULTIPLE_SRC + 1, in("b")}, {DNNL_ARG_DST, out("y")}});
    }
    dnnl::primitive_attr attributes;
    if (op.relu) {
      dnnl::post_ops after;
      onednn::append_relu(after);
      attributes.set_post_ops(after);
    }
    const auto d = onednn::add(engine_, plain("a"), plain("b"), plain("y"), attributes);
    add(d, dnnl::binary(d), {{DNNL_ARG_SRC_0, in("a")}, {DNNL_ARG_SRC_1, in("b")}, {DNNL_ARG_DST, out("y")}});
  }
  void operator()(const Cast&) { reorder(in("x"), out("y")); }

  // ---- normalisation ----

  void operator()(const BatchNormForwardTraining& op) {
    auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
    if (op.attributes.relu) flags = flags | dnnl::normalization_flags::fuse_norm_relu;
    const auto d = onednn::batch_norm_forward(engine_, dnnl::prop_kind::forward_training, plain("x"),
                                              static_cast<float>(op.attributes.epsilon), flags);
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, in("x")},
                                                 {DNNL_ARG_SCALE, in("gamma")},
                                                 {DNNL_ARG_SHIFT, in("beta")},
                                                 {DNNL_ARG_MEAN, out("mean")},
                                                 {DNNL_ARG_VARIANCE, memory(d.variance_desc(), engine_)},
                                                 {DNNL_ARG_DST, out("y")}};
    if (op.attributes.relu) arguments[DNNL_ARG_WORKSPACE] = memory(d.workspace_desc(), engine_);
    add(d, dnnl::batch_normalization_forward(d), arguments);
  }
  void operator()(const BatchNormForwardInference& op) {
    auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift |
                 dnnl::normalization_flags::use_global_stats;
    if (op.attributes.relu) flags = flags | dnnl::normalization_flags::fuse_norm_relu;
    const auto d = onednn::batch_norm_forward(engine_, dnnl::prop_kind::forward_inference, plain("x"),
                                              static_cast<float>(op.attributes.epsilon), flags);
    add(d, dnnl::batch_normalization_forward(d),
        {{DNNL_ARG_SRC, in("x")},
         {DNNL_ARG_SCALE, in("gamma")},
         {DNNL_ARG_SHIFT, in("beta")},
         {DNNL_ARG_MEAN, in("running_mean")},
         {DNNL_ARG_VARIANCE, in("running_var")},
         {DNNL_ARG_DST, out("y")}});
  }
  void operator()(const BatchNormBackward&) {
    constexpr float kEpsilon = 1e-5f;
    const auto image = plain("x");
    std::vector<float> variance = find("rstd", 0).values;
    for (float& v : variance) v = 1.0f / (v * v) - kEpsilon;
#if DNNL_VERSION_MAJOR >= 3
    const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
#else  // 2.6 does not accept separate scale and shift in its backward pass: they are rows of one tensor
    const auto flags = dnnl::normalization_flags::use_scale_shift;
#endif
    const auto hint = onednn::batch_norm_forward(engine_, dnnl::prop_kind::forward_training, image, kEpsilon, flags);
    const auto d = onednn::batch_norm_backward(engine_, hint, image, kEpsilon, flags);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, in("x")},
        {DNNL_ARG_MEAN, in("mean")},
        {DNNL_ARG_VARIANCE, fill(d.variance_desc(), d.variance_desc(), variance)},
        {DNNL_ARG_DIFF_DST, in("dy")},
        {DNNL_ARG_DIFF_SRC, out("dx")}};
#if DNNL_VERSION_MAJOR >= 3
    arguments[DNNL_ARG_SCALE] = in("gamma");
    arguments[DNNL_ARG_DIFF_SCALE] = out("dgamma");
    arguments[DNNL_ARG_DIFF_SHIFT] = out("dbeta");
#else
    std::vector<float> scale_shift = find("gamma", 0).values;
    const auto channels = static_cast<std::int64_t>(scale_shift.size());
    scale_shift.resize(2 * scale_shift.size());
    const memory gradients(d.diff_weights_desc(), engine_);
    const auto row = [&](const char* role, std::int64_t r) {
      outputs_.push_back(
          {role,
           {1, channels},
           Tag::ab,
           memory(d.diff_weights_desc().submemory_desc({1, channels}, {r, 0}), engine_, gradients.get_data_handle())});
    };
    row("dgamma", 0);
    row("dbeta", 1);
    kept_.push_back(gradients);
    arguments[DNNL_ARG_SCALE_SHIFT] = fill(d.weights_desc(), d.weights_desc(), scale_shift);
    arguments[DNNL_ARG_DIFF_SCALE_SHIFT] = gradients;
#endif
    add(d, dnnl::batch_normalization_backward(d), arguments);
  }
  void operator()(const LocalResponseNormForward& op) {
    const auto d = lrn_descriptor(op.attributes, dnnl::prop_kind::forward_inference);
    add(d, dnnl::lrn_forward(d), {{DNNL_ARG_SRC, in("x")}, {DNNL_ARG_DST, out("y")}});
  }
  void operator()(const LocalResponseNormBackward& op) {
    const auto hint = lrn_descriptor(op.attributes, dnnl::prop_kind::forward_training);
    const auto& [size, alpha, beta, k] = op.attributes;
    const auto d = onednn::lrn_backward(engine_, hint, plain("x"), size, static_cast<float>(alpha),
                                        static_cast<float>(beta), static_cast<float>(k));
    std::unordered_map<int, memory> forward = {{DNNL_ARG_SRC, in("x")},
                                               {DNNL_ARG_DST, memory(hint.dst_desc(), engine_)}};
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, forward[DNNL_ARG_SRC]}, {DNNL_ARG_DIFF_DST, in("dy")}, {DNNL_ARG_DIFF_SRC, out("dx")}};
    if (hint.workspace_desc().get_size() > 0) {
      forward[DNNL_ARG_WORKSPACE] = arguments[DNNL_ARG_WORKSPACE] = memory(hint.workspace_desc(), engine_);
    }
    dnnl::lrn_forward(hint).execute(stream_, forward);
    stream_.wait();
    add(d, dnnl::lrn_backward(d), arguments);
  }

  /// Computes the softmax only, without loss and gradient.
  void operator()(const SoftmaxCrossEntropy&) {
    const auto logits = plain("logits");
    const auto d = onednn::softmax_forward(engine_, logits);
    add(d, dnnl::softmax_forward(d), {{DNNL_ARG_SRC, in("logits")}, {DNNL_ARG_DST, memory(logits, engine_)}});
  }

  template <class Other>
  void operator()(const Other&) {
    fail("oneDNN has no primitive for this operation");
  }

 private:
  struct Operand {
    std::string role;
    Tensor tensor;
    Access access;
    DType dtype;
    std::vector<float> values = {};
  };
  struct Output {
    std::string role;
    memory::dims dims;
    Tag tag;
    memory values;
  };

  const Operand& find(std::string_view role, std::size_t j) const {
    for (const Operand& operand : operands_) {
      if (operand.role == role && j-- == 0) return operand;
    }
    fail("the operation has no operand ", role);
  }
  static Type type_of(DType dtype) { return dtype == DType::bf16 ? Type::bf16 : Type::f32; }

  /// Data type of images.
  template <class Op>
  Type data(const Op&) const {
    return type_of(operands_.front().dtype);
  }
  memory::desc plain(std::string_view role, std::size_t j = 0) const {
    const Operand& operand = find(role, j);
    return {dims_of(operand.tensor.shape), type_of(operand.dtype), tag_of(operand.tensor.shape)};
  }

  /// Memory in layout `desc` with f32 `values` given in layout `values_desc`, padded with zeros.
  memory fill(const memory::desc& desc, const memory::desc& values_desc, const std::vector<float>& values) {
    memory source(values_desc, engine_), target(desc, engine_);
    std::memset(source.get_data_handle(), 0, values_desc.get_size());
    std::copy(values.begin(), values.end(), static_cast<float*>(source.get_data_handle()));
    dnnl::reorder(source, target).execute(stream_, source, target);
    stream_.wait();
    return target;
  }
  memory in(std::string_view role, const memory::desc& desc, std::size_t j = 0) {
    const Operand& operand = find(role, j);
    const Shape& shape = operand.tensor.shape;
    return fill(desc, {dims_of(shape), Type::f32, tag_of(shape)}, operand.values);
  }
  memory in(std::string_view role) { return in(role, plain(role)); }
  memory out(std::string_view role, const memory::desc& desc) {
    memory target(desc, engine_);
    const memory::dims dims = onednn::dims_of(desc);
    outputs_.push_back({std::string(role), dims, tag_of(dims.size()), target});
    return target;
  }
  memory out(std::string_view role) { return out(role, plain(role)); }

  template <class Descriptor>
  void add(const Descriptor& descriptor, const dnnl::primitive& primitive,
           const std::unordered_map<int, memory>& arguments) {
    implementation_ = descriptor.impl_info_str();
    steps_.emplace_back(primitive, arguments);
  }
  void reorder(const memory& from, const memory& to) {
    const dnnl::reorder::primitive_desc d(from, to);
    add(d, dnnl::reorder(d), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }

  static dnnl::algorithm average(const Pool2dAttributes& a) {
    return a.count_include_pad ? dnnl::algorithm::pooling_avg_include_padding
                               : dnnl::algorithm::pooling_avg_exclude_padding;
  }
  /// Windows of equal size that tile the image.
  static Pool2dAttributes tiles(const Tensor& x, const Tensor& y) {
    const Extent2d window = {x.h() / y.h(), x.w() / y.w()};
    return {.kernel = window, .stride = window};
  }
  dnnl::pooling_forward::primitive_desc pool_descriptor(dnnl::algorithm algorithm, dnnl::prop_kind kind,
                                                        const Pool2dAttributes& a, const Tensor& x, const Tensor& y,
                                                        Type type) {
    // Padding on the far side is increased where the last window needs it.
    const auto far = [](std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                        std::int64_t padding) { return std::max(padding, (out - 1) * stride + kernel - in - padding); };
    return onednn::pooling_forward(engine_, kind, algorithm, {dims_of(x.shape), type, Tag::nhwc},
                                   {dims_of(y.shape), type, Tag::nhwc}, {a.stride.h, a.stride.w},
                                   {a.kernel.h, a.kernel.w}, {a.padding.h, a.padding.w},
                                   {far(x.h(), y.h(), a.kernel.h, a.stride.h, a.padding.h),
                                    far(x.w(), y.w(), a.kernel.w, a.stride.w, a.padding.w)});
  }
  void pool_forward(dnnl::algorithm algorithm, const Pool2dAttributes& a, const Tensor& x, const Tensor& y,
                    bool argmax) {
    const auto kind = argmax ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const auto d = pool_descriptor(algorithm, kind, a, x, y, data(x));
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, in("x")}, {DNNL_ARG_DST, out("y", d.dst_desc())}};
    if (argmax) arguments[DNNL_ARG_WORKSPACE] = memory(d.workspace_desc(), engine_);
    add(d, dnnl::pooling_forward(d), arguments);
  }
  void pool_backward(dnnl::algorithm algorithm, const Pool2dAttributes& a, const Tensor& dx, const Tensor& dy) {
    const auto hint = pool_descriptor(algorithm, dnnl::prop_kind::forward_training, a, dx, dy, data(dx));
    const auto d = onednn::pooling_backward(
        engine_, hint, algorithm, {a.stride.h, a.stride.w}, {a.kernel.h, a.kernel.w}, {a.padding.h, a.padding.w},
        {std::max(a.padding.h, (dy.h() - 1) * a.stride.h + a.kernel.h - dx.h() - a.padding.h),
         std::max(a.padding.w, (dy.w() - 1) * a.stride.w + a.kernel.w - dx.w() - a.padding.w)});
    const Shape image = {dy.n(), dy.c(), dy.h(), dy.w()};
    const memory::desc values(dims_of(image), Type::f32, Tag::nhwc);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_DIFF_DST, fill(hint.dst_desc(), values, find("dy", 0).values)}, {DNNL_ARG_DIFF_SRC, out("dx")}};
    if (algorithm == dnnl::algorithm::pooling_max) {
      // oneDNN also stores the index of the maximum, as bytes in the layout of y.
      const memory winners(hint.workspace_desc(), engine_);
      require(hint.workspace_desc() == memory::desc(dims_of(image), Type::u8, Tag::nhwc),
              "oneDNN does not store the argmax as bytes");
      const std::vector<float>& indices = find("argmax", 0).values;
      std::transform(indices.begin(), indices.end(), static_cast<std::uint8_t*>(winners.get_data_handle()),
                     [](float index) { return static_cast<std::uint8_t>(index); });
      arguments[DNNL_ARG_WORKSPACE] = winners;
    }
    add(d, dnnl::pooling_backward(d), arguments);
  }
  dnnl::lrn_forward::primitive_desc lrn_descriptor(const LocalResponseNormAttributes& a, dnnl::prop_kind kind) {
    return onednn::lrn_forward(engine_, kind, plain("x"), a.size, static_cast<float>(a.alpha),
                               static_cast<float>(a.beta), static_cast<float>(a.k));
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  mutable dnnl::stream stream_{engine_};
  std::vector<Operand> operands_;
  std::vector<std::pair<dnnl::primitive, std::unordered_map<int, memory>>> steps_;
  std::vector<Output> outputs_;
  std::vector<memory> kept_;
  std::string implementation_;
};

}  // namespace

std::unique_ptr<OneDnnPeer> make_onednn_primitive(const Operation& operation, DType storage,
                                                  const OperandValues& values) {
  try {
    return std::make_unique<Bare>(operation, storage, values);
  } catch (const dnnl::error& error) {
    fail("oneDNN has no primitive for this operation: ", error.what());
  }
}

}  // namespace minception
