#include "benchmarks/speed_cases.h"
#include "core/error.h"
#include "kernels/backend.h"
#include "models/network.h"
#include "models/registry.h"

#include <algorithm>
#include <set>

namespace minception {

std::vector<SpeedCase> googlenet_cases(std::int64_t batch, std::int64_t size) {
  const auto backend = make_reference_backend();
  const Network network(make_model({.name = "googlenet", .input = {1, size, size}}), *backend,
                        {.max_batch = batch, .training = false, .plan_only = true});
  std::vector<SpeedCase> cases;
  std::set<std::string> seen;
  const auto dense = [](const Tensor& tensor) { return Tensor(tensor.shape, DType::f32); };
  const auto add = [&](const std::string& name, const Operation& op) { cases.push_back({{name, op}, true}); };
  for (const Step& step : network.plan(Mode::inference).steps()) {
    if (const auto* conv = std::get_if<Conv2dForward>(&step.operation)) {
      const Tensor x = dense(conv->x), w = dense(conv->w), y = dense(conv->y);
      const std::string name = concat("googlenet ", step.layer);
      if (!seen.insert(concat(x.shape, w.shape, conv->attributes.stride.h)).second) continue;
      Conv2dForward forward{conv->attributes, x, w, Tensor({w.n()}, DType::f32), y};
      forward.attributes.relu = true;
      add(name, forward);
      Conv2dBackwardData data{conv->attributes, y, w, {x}};
      Conv2dBackwardWeights weights{conv->attributes, x, y, w, forward.bias};
      data.attributes.relu = weights.attributes.relu = false;
      if (x.c() > 1) add(name, data);  // the gradient of the network's input is not needed
      add(name, weights);
    } else if (const auto* group = std::get_if<Conv2dFused1x1Forward>(&step.operation)) {
      const Tensor x = dense(group->x), w = dense(group->w), bias({w.n()}, DType::f32);
      std::vector<Tensor> y;
      std::string key = concat(x.shape);
      for (const Tensor& member : group->y) y.push_back(dense(member)), key += concat(member.shape);
      if (!seen.insert(key).second) continue;
      const std::string name = concat("googlenet ", step.layer, " fused 1x1");
      add(name, Conv2dFused1x1Forward{true, x, w, bias, y});
      add(name, Conv2dFused1x1BackwardData{y, w, {x}});
      add(name, Conv2dFused1x1BackwardWeights{x, y, w, bias});
    }
  }
  return cases;
}

namespace {

Tensor dense(const Shape& shape, DType dtype = DType::f32) { return Tensor(shape, dtype); }

/// The steps of training googlenet_bn other than convolutions, each distinct one once, on dense tensors.
class TrainingSteps {
 public:
  explicit TrainingSteps(std::vector<Case>& cases) : cases_(cases) {}

  void visit(const Step& step) {
    layer_ = step.layer;
    std::visit(*this, step.operation);
  }

  void operator()(const MaxPool2dForward& op) {
    add(MaxPool2dForward{op.attributes, dense(op.x.shape), dense(op.y.shape), dense(op.y.shape, DType::u8)},
        concat(op.x.shape, op.y.shape));
  }
  void operator()(const MaxPool2dBackward& op) {
    add(
        MaxPool2dBackward{
            op.attributes, dense(op.dy.shape), dense(op.dy.shape, DType::u8), {dense(op.target.dx.shape)}},
        concat(op.target.dx.shape, op.dy.shape));
  }
  void operator()(const GlobalAvgPoolForward& op) {
    add(GlobalAvgPoolForward{dense(op.x.shape), dense(op.y.shape)}, concat(op.x.shape));
  }
  void operator()(const GlobalAvgPoolBackward& op) {
    add(GlobalAvgPoolBackward{dense(op.dy.shape), {dense(op.target.dx.shape)}}, concat(op.dy.shape));
  }
  void operator()(const LinearForward& op) {
    add(LinearForward{dense(op.x.shape), dense(op.w.shape), dense({op.w.n()}), dense(op.y.shape)}, concat(op.x.shape));
  }
  void operator()(const LinearBackwardData& op) {
    add(LinearBackwardData{dense(op.dy.shape), dense(op.w.shape), {dense(op.target.dx.shape)}}, concat(op.dy.shape));
  }
  void operator()(const LinearBackwardWeights& op) {
    add(LinearBackwardWeights{dense(op.x.shape), dense(op.dy.shape), dense(op.dw.shape), dense({op.dw.n()})},
        concat(op.x.shape));
  }
  void operator()(const BatchNormForwardTraining& op) {
    const Tensor channels = dense({op.x.c()}), image = dense(op.x.shape);
    add(BatchNormForwardTraining{op.attributes, image, channels, channels, channels, channels, image, channels,
                                 channels},
        concat(op.x.shape));
  }
  void operator()(const BatchNormBackward& op) {
    const Tensor channels = dense({op.x.c()}), image = dense(op.x.shape);
    add(BatchNormBackward{image, channels, channels, channels, image, channels, channels, {image}}, concat(op.x.shape));
  }
  void operator()(const SoftmaxCrossEntropy& op) {
    add(SoftmaxCrossEntropy{.divisor = static_cast<double>(op.logits.n()),
                            .logits = dense(op.logits.shape),
                            .labels = dense({op.logits.n()}, DType::i32),
                            .metrics = dense({2}),
                            .dlogits = dense(op.logits.shape)},
        concat(op.logits.shape));
  }
  void operator()(const SgdStep& op) {
    const Tensor flat = dense(op.w.shape), one = dense({1});
    const std::vector<ParameterGroup>& groups = op.groups;
    layer_ = "parameters";
    add(SgdStep{false, groups, dense({2}), flat, flat, flat}, "");
    add(AdamStep{.groups = groups,
                 .step = dense({1}, DType::i64),
                 .schedule = dense({2}),
                 .g = flat,
                 .w = flat,
                 .m = flat,
                 .v = flat},
        "");
    add(ClipCoefficient{1.0, groups, flat, one}, "");
    add(EmaUpdate{0.999, dense({1}, DType::i64), flat, flat}, "");
    add(GroupNorms{groups, flat, dense({static_cast<std::int64_t>(groups.size()), 2})}, "");
  }
  template <class Convolution>
  void operator()(const Convolution&) {}

 private:
  void add(const Operation& operation, const std::string& shapes) {
    if (seen_.insert(concat(name_of(operation), " ", shapes)).second) cases_.push_back({layer_, operation});
  }

  std::vector<Case>& cases_;
  std::set<std::string> seen_;
  std::string layer_;
};

/// Adds an operation that has no case yet, if it maps an image to an image of the same shape: an activation.
template <class Op>
void add_activation(std::vector<Case>& cases, const char* layer, const Tensor& image) {
  const auto same = [](const Case& one) { return std::holds_alternative<Op>(one.operation); };
  if (std::any_of(cases.begin(), cases.end(), same)) return;
  if constexpr (requires { Op{image, image, GradTarget{image}}; }) {
    cases.push_back({layer, Op{image, image, GradTarget{image}}});
  } else if constexpr (requires { Op{image, image}; }) {
    cases.push_back({layer, Op{image, image}});
  }
}

}  // namespace

std::vector<Case> googlenet_operations(std::int64_t batch, std::int64_t size) {
  std::vector<Case> cases;
  const auto add = [&](const char* name, const Operation& op) { cases.push_back({name, op}); };
  const auto backend = make_reference_backend();
  const Network network(make_model({.name = "googlenet_bn", .input = {1, size, size}}), *backend,
                        {.max_batch = batch, .plan_only = true});
  const Tensor images = dense({1024, 1, 28, 28}, DType::u8), indices = dense({batch}, DType::i32);
  add("input", LoadBatch{.images = images,
                         .labels = dense({1024}, DType::i32),
                         .indices = indices,
                         .y = dense({batch, 1, size, size}),
                         .y_labels = indices});
  Shape stem, block, last;  // output shapes of maxpool1, inception3a and inception5b
  for (const Step& step : network.plan(Mode::training).steps()) {
    if (const auto* pool = std::get_if<MaxPool2dForward>(&step.operation); pool != nullptr && stem.rank() == 0) {
      stem = pool->y.shape;
    }
    if (const auto* norm = std::get_if<BatchNormForwardTraining>(&step.operation)) {
      if (step.layer.starts_with("inception3a")) block = norm->y.shape;
    }
    if (const auto* pool = std::get_if<GlobalAvgPoolForward>(&step.operation)) last = pool->x.shape;
  }
  TrainingSteps steps(cases);
  for (const Step& step : network.plan(Mode::training).steps()) steps.visit(step);

  block[1] = 256;
  const Tensor image = dense(block), channels = dense({block[1]});
  std::vector<Tensor> branches;
  std::vector<GradTarget> targets;
  for (const std::int64_t count : {64, 128, 32, 32}) {
    branches.push_back(dense({block[0], count, block[2], block[3]}));
    targets.push_back({branches.back()});
  }
  add("inception3a", ConcatForward{branches, image});
  add("inception3a", Split{image, targets});
  add("inception3a", AddForward{.relu = true, .a = image, .b = image, .y = image});
  add("inception3a", AddBackward{1.0, image, {image}, {image}});
  add("inception3a", Fill{0.0, image});
  add("inception3a", BatchNormForwardInference{{.relu = true}, image, channels, channels, channels, channels, image});
  add("inception3a", BatchNormBackwardInference{{}, channels, channels, image, {image}});
  const Tensor w = dense({192, 64, 3, 3}), filters = dense({192});
  add("conv3", FoldBatchNorm{1e-5, w, filters, filters, filters, filters, w, filters});
  add("maxpool1", LocalResponseNormForward{{}, dense(stem), dense(stem)});
  add("maxpool1", LocalResponseNormBackward{{}, dense(stem), dense(stem), {dense(stem)}});
  add("inception3a", Cast{image, dense(block, DType::bf16)});

  // Pooling of an auxiliary classifier on 14x14 pixels (224x224 images), also torchvision's, and the last flattening.
  const Shape auxiliary = {batch, 512, 14, 14}, small = {batch, 512, 4, 4},
              flat = {last[0], last[1] * last[2] * last[3]};
  const Pool2dAttributes pool = {.kernel = {5, 5}, .stride = {3, 3}};
  add("aux1", AvgPool2dForward{pool, dense(auxiliary), dense(small)});
  add("aux1", AvgPool2dBackward{pool, dense(small), {dense(auxiliary)}});
  const Shape halved = {batch, 512, 7, 7};
  add("aux1_14_to_7", AdaptiveAvgPool2dForward{dense(auxiliary), dense(halved)});
  add("aux1_14_to_7", AdaptiveAvgPool2dBackward{dense(halved), {dense(auxiliary)}});
  add("inception5b", FlattenForward{dense(last), dense(flat)});
  add("inception5b", FlattenBackward{dense(flat), {dense(last)}});
  const Tensor position = dense({2}, DType::i64), features = dense({batch, last[1]});
  add("fc", DropoutForward{{.p = 0.4}, position, features, features});
  add("fc", DropoutBackward{{.p = 0.4}, position, features, {features}});
#define ADD_ACTIVATION(Struct, name) add_activation<Struct>(cases, "inception3a", image);
  MINCEPTION_OPERATIONS(ADD_ACTIVATION)
#undef ADD_ACTIVATION
  return cases;
}

std::string pass_of(const Operation& operation) {
  const std::string name(name_of(operation));
  if (name.ends_with("_data")) return "data";
  if (name.ends_with("_weights")) return "weights";
  return name.ends_with("_backward") ? "backward" : "forward";
}

}  // namespace minception
