#include "layers/inception.h"
#include "layers/concat.h"

#include <algorithm>

namespace minception {
namespace {

constexpr const char* kMemberNames[] = {".branch1", ".branch2.0", ".branch3.0"};

BasicConv2d::Options unit(const Inception::Options& options, std::int64_t in, std::int64_t out, Extent2d kernel) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = kernel,
          .padding = {kernel.h / 2, kernel.w / 2},
          .batch_norm = options.batch_norm,
          .epsilon = options.epsilon};
}

/// 1x3 and 3x1 in parallel, with half of the output channels each.
std::unique_ptr<Concat> side_by_side(const Inception::Options& options, std::int64_t in, std::int64_t out) {
  auto both = std::make_unique<Concat>();
  both->add<BasicConv2d>("row", unit(options, in, out / 2, {1, 3}));
  both->add<BasicConv2d>("column", unit(options, in, out - out / 2, {3, 1}));
  return both;
}

void build_branch2(Sequential& branch, const Inception::Options& options) {
  const std::int64_t in = options.channels.branch2_reduce;
  const std::int64_t out = options.channels.branch2;
  switch (options.kind) {
    case InceptionKind::paper:
    case InceptionKind::two_3x3:
      branch.add<BasicConv2d>("1", unit(options, in, out, {3, 3}));
      break;
    case InceptionKind::factorised:
      branch.add<BasicConv2d>("1", unit(options, in, in, {1, options.factor}));
      branch.add<BasicConv2d>("2", unit(options, in, out, {options.factor, 1}));
      break;
    case InceptionKind::expanded:
      branch.add("1", side_by_side(options, in, out));
      break;
  }
}

void build_branch3(Sequential& branch, const Inception::Options& options) {
  const std::int64_t in = options.channels.branch3_reduce;
  const std::int64_t out = options.channels.branch3;
  switch (options.kind) {
    case InceptionKind::paper:
      branch.add<BasicConv2d>("1", unit(options, in, out, {options.branch3_kernel, options.branch3_kernel}));
      break;
    case InceptionKind::two_3x3:
      branch.add<BasicConv2d>("1", unit(options, in, out, {3, 3}));
      branch.add<BasicConv2d>("2", unit(options, out, out, {3, 3}));
      break;
    case InceptionKind::factorised:
      branch.add<BasicConv2d>("1", unit(options, in, in, {options.factor, 1}));
      branch.add<BasicConv2d>("2", unit(options, in, in, {1, options.factor}));
      branch.add<BasicConv2d>("3", unit(options, in, in, {options.factor, 1}));
      branch.add<BasicConv2d>("4", unit(options, in, out, {1, options.factor}));
      break;
    case InceptionKind::expanded:
      branch.add<BasicConv2d>("1", unit(options, in, out, {3, 3}));
      branch.add("2", side_by_side(options, out, out));
      break;
  }
}

/// Rows [begin, begin + count) of a block of weights or biases.
Tensor rows(const Tensor& block, std::int64_t begin, std::int64_t count) {
  Tensor part = block.first(count);
  part.offset += static_cast<std::size_t>(begin * (block.elements() / block.shape[0])) * size_of(block.dtype);
  return part;
}

}  // namespace

Inception::Inception(const Options& options)
    : options_(options), in_channels_(options.channels.in), pool_(3, {.stride = 1, .padding = 1}) {
  require(options.factor >= 1 && options.factor % 2 == 1, "an Inception block cannot be factorised by ", options.factor,
          ": the factor must be odd");
  const auto& [in, branch1, branch2_reduce, branch2, branch3_reduce, branch3, branch4] = options.channels;
  require(std::min({branch1, branch2_reduce, branch2, branch3_reduce, branch3}) >= 1 && in >= 0 && branch4 >= 0,
          "an Inception block with channels {in ", in, ", branch1 ", branch1, ", branch2 ", branch2_reduce, " and ",
          branch2, ", branch3 ", branch3_reduce, " and ", branch3, ", branch4 ", branch4,
          "}: each must be at least 1, the first and the last 0 or more");
  require(options.branch3_kernel >= 1 && options.branch3_kernel % 2 == 1, "an Inception block with a third branch of ",
          options.branch3_kernel, "x", options.branch3_kernel, " filters: their size must be odd");
  require(options.kind != InceptionKind::expanded || std::min(options.channels.branch2, options.channels.branch3) >= 2,
          "the branches of an expanded Inception block need at least 2 channels each");
  if (branch4 > 0) branch4_.emplace(unit(options, in, branch4, {1, 1}));
  build_branch2(branch2_, options);
  build_branch3(branch3_, options);
  if (options.batch_norm) {
    const auto channels = member_channels();
    for (std::size_t j = 0; j < kMembers; ++j) {
      bn_[j].emplace(BatchNorm2d::Options{.channels = channels[j], .epsilon = options.epsilon, .relu = true});
    }
  }
}

constexpr std::pair<InceptionKind, std::string_view> kKindNames[] = {{InceptionKind::paper, "paper"},
                                                                     {InceptionKind::two_3x3, "two_3x3"},
                                                                     {InceptionKind::factorised, "factorised"},
                                                                     {InceptionKind::expanded, "expanded"}};

std::string_view name_of(InceptionKind kind) {
  for (const auto& [known, name] : kKindNames) {
    if (kind == known) return name;
  }
  return "unknown";
}

void parse_name(std::string_view name, InceptionKind& kind) {
  std::string names;
  for (const auto& [known, its_name] : kKindNames) {
    names += concat(names.empty() ? "" : ", ", its_name);
    if (name != its_name) continue;
    kind = known;
    return;
  }
  fail("unknown kind of Inception block '", name, "': use one of ", names);
}

std::array<std::int64_t, Inception::kMembers> Inception::member_channels() const {
  return {options_.channels.branch1, options_.channels.branch2_reduce, options_.channels.branch3_reduce};
}

void Inception::infer(const std::string& name, const Shape& input) {
  Layer::infer(name, input);
  in_channels_ = input_size("channels.in", options_.channels.in, input);
  Shape reduced = input;
  reduced[1] = options_.channels.branch2_reduce;
  branch2_.infer(name + ".branch2", reduced);
  reduced[1] = options_.channels.branch3_reduce;
  branch3_.infer(name + ".branch3", reduced);
  if (!branch4_) return;
  pool_.infer(name + ".branch4.0", input);
  branch4_->infer(name + ".branch4.1", input);
}

void Inception::register_parameters(ParameterTable& table, const std::string& name) {
  Layer::register_parameters(table, name);
  std::vector<Parameter> weights;
  std::vector<Parameter> biases;
  for (std::size_t j = 0; j < kMembers; ++j) {
    const Conv2d::Options conv = {.in_channels = in_channels_, .out_channels = member_channels()[j]};
    weights.push_back(Conv2d::weight_parameter(conv, name + kMemberNames[j] + ".conv"));
    biases.push_back(Conv2d::bias_parameter(conv, name + kMemberNames[j] + ".conv"));
  }
  weights_ = table.add_block(std::move(weights));
  if (!options_.batch_norm) biases_ = table.add_block(std::move(biases));
  for (std::size_t j = 0; j < kMembers; ++j) {
    if (bn_[j]) bn_[j]->register_parameters(table, name + kMemberNames[j] + ".bn");
  }
  branch2_.register_parameters(table, name + ".branch2");
  branch3_.register_parameters(table, name + ".branch3");
  if (!branch4_) return;
  pool_.register_parameters(table, name + ".branch4.0");
  branch4_->register_parameters(table, name + ".branch4.1");
}

Shape Inception::output_shape(const Shape& input) const {
  require(input.rank() == 4 && input[1] == in_channels_, name(), ": expects ", in_channels_,
          " channels but the input is ", input);
  return {input[0], options_.channels.out(), input[2], input[3]};
}

Tensor Inception::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = output(plan, x, destination);
  const InceptionChannels& channels = options_.channels;
  const auto members = member_channels();
  const Shape weight_shape = {members[0] + members[1] + members[2], in_channels_, 1, 1};

  outputs_[0] = y.channels(0, channels.branch1);
  for (std::size_t j = 1; j < kMembers; ++j) {
    outputs_[j] =
        plan.activation(name() + kMemberNames[j] + ": output", {x.shape[0], members[j], x.shape[2], x.shape[3]});
  }
  if (options_.batch_norm && plan.mode() == Mode::inference) {
    const Tensor folded = plan.prepacked(weight_shape), bias = plan.prepacked(Shape{weight_shape[0]});
    std::int64_t row = 0;
    for (std::size_t j = 0; j < kMembers; ++j) {
      bn_[j]->fold(plan, plan.parameter(weights_ + j), rows(folded, row, members[j]), rows(bias, row, members[j]));
      row += members[j];
    }
    plan.add(
        name(),
        Conv2dFused1x1Forward{
            .relu = true, .x = x, .w = folded, .bias = bias, .y = {outputs_.begin(), outputs_.end()}, .prepacked = {}});
  } else if (options_.batch_norm) {
    preactivation_ = {x.shape[0], weight_shape[0], x.shape[2], x.shape[3]};
    const Tensor z = plan.activation(name() + ": 1x1 convolutions", preactivation_);
    std::vector<Tensor> slices;
    std::int64_t channel = 0;
    for (std::int64_t count : members) {
      slices.push_back(z.channels(channel, count));
      channel += count;
    }
    plan.add(name(),
             Conv2dFused1x1Forward{
                 .x = x, .w = plan.parameter(weights_, weight_shape), .bias = {}, .y = slices, .prepacked = {}});
    for (std::size_t j = 0; j < kMembers; ++j) bn_[j]->forward(plan, slices[j], outputs_[j]);
  } else {
    plan.add(name(), Conv2dFused1x1Forward{.relu = true,
                                           .x = x,
                                           .w = plan.parameter(weights_, weight_shape),
                                           .bias = plan.parameter(biases_, Shape{weight_shape[0]}),
                                           .y = {outputs_.begin(), outputs_.end()},
                                           .prepacked = {}});
  }

  std::int64_t channel = channels.branch1;
  branch2_.forward(plan, outputs_[1], y.channels(channel, channels.branch2));
  channel += channels.branch2;
  branch3_.forward(plan, outputs_[2], y.channels(channel, channels.branch3));
  if (!branch4_) return y;
  channel += channels.branch3;
  pooled_ = pool_.forward(plan, x);
  branch4_->forward(plan, pooled_, y.channels(channel, channels.branch4));
  return y;
}

void Inception::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  const InceptionChannels& channels = options_.channels;
  const auto members = member_channels();
  const Shape weight_shape = {members[0] + members[1] + members[2], in_channels_, 1, 1};
  const std::int64_t branch2_at = channels.branch1;
  const std::int64_t branch3_at = branch2_at + channels.branch2;
  const std::int64_t branch4_at = branch3_at + channels.branch3;

  if (branch4_) {
    GradTarget dpooled;
    if (target.dx.defined()) dpooled.dx = plan.activation(pool_.name() + ": output gradient", pooled_.shape);
    branch4_->backward(plan, dy.channels(branch4_at, channels.branch4), dpooled);
    GradTarget through_pool = target;
    through_pool.relu_output = {};  // the 1x1 convolutions complete the sum and apply the mask
    pool_.backward(plan, dpooled.dx, through_pool);
  }

  std::vector<Tensor> gradients = {dy.channels(0, channels.branch1)};
  for (std::size_t j = 1; j < kMembers; ++j) {
    gradients.push_back(plan.activation(name() + kMemberNames[j] + ": output gradient", outputs_[j].shape));
  }
  branch3_.backward(plan, dy.channels(branch3_at, channels.branch3), {.dx = gradients[2], .relu_output = outputs_[2]});
  branch2_.backward(plan, dy.channels(branch2_at, channels.branch2), {.dx = gradients[1], .relu_output = outputs_[1]});

  if (options_.batch_norm) {
    const Tensor dz = plan.activation(name() + ": 1x1 convolutions, output gradient", preactivation_);
    std::int64_t channel = 0;
    for (std::size_t j = 0; j < kMembers; ++j) {
      const Tensor slice = dz.channels(channel, members[j]);
      bn_[j]->backward(plan, gradients[j], {.dx = slice});
      gradients[j] = slice;
      channel += members[j];
    }
  }
  bool trains = false;
  for (std::size_t j = 0; j < kMembers; ++j) {
    trains = trains || plan.trains(weights_ + j) || (!options_.batch_norm && plan.trains(biases_ + j));
  }
  if (trains) {
    plan.add(name(), Conv2dFused1x1BackwardWeights{
                         .x = x_,
                         .dy = gradients,
                         .dw = plan.gradient(weights_, weight_shape),
                         .dbias = options_.batch_norm ? Tensor{} : plan.gradient(biases_, Shape{weight_shape[0]})});
  }
  if (target.dx.defined()) {
    GradTarget sum = target;
    sum.accumulate = target.accumulate || branch4_.has_value();
    plan.add(name(),
             Conv2dFused1x1BackwardData{.dy = gradients, .w = plan.parameter(weights_, weight_shape), .target = sum});
  }
}

}  // namespace minception
