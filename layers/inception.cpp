#include <minception/layers/inception.h>

namespace minception {
namespace {

constexpr const char* kMemberNames[] = {".branch1", ".branch2.0", ".branch3.0"};

BasicConv2d::Options unit(const Inception::Options& options, std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = {kernel, kernel},
          .padding = {kernel / 2, kernel / 2},
          .batch_norm = options.batch_norm,
          .epsilon = options.epsilon};
}

}  // namespace

Inception::Inception(const Options& options)
    : options_(options),
      branch2_(unit(options, options.channels.branch2_reduce, options.channels.branch2, 3)),
      branch3_(unit(options, options.channels.branch3_reduce, options.channels.branch3, options.branch3_kernel)),
      pool_({.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}}),
      branch4_(unit(options, options.channels.in, options.channels.branch4, 1)) {
  if (options.batch_norm) {
    const auto channels = member_channels();
    for (std::size_t j = 0; j < kMembers; ++j) {
      bn_[j].emplace(BatchNorm2d::Options{.channels = channels[j], .epsilon = options.epsilon, .relu = true});
    }
  }
}

std::array<std::int64_t, Inception::kMembers> Inception::member_channels() const {
  return {options_.channels.branch1, options_.channels.branch2_reduce, options_.channels.branch3_reduce};
}

void Inception::declare(ParameterTable& table, const std::string& name) {
  Layer::declare(table, name);
  std::vector<Parameter> weights;
  std::vector<Parameter> biases;
  for (std::size_t j = 0; j < kMembers; ++j) {
    const Conv2d::Options conv = {.in_channels = options_.channels.in, .out_channels = member_channels()[j]};
    weights.push_back(Conv2d::weight_parameter(conv, name + kMemberNames[j] + ".conv"));
    biases.push_back(Conv2d::bias_parameter(conv, name + kMemberNames[j] + ".conv"));
  }
  weights_ = table.add_block(std::move(weights));
  if (!options_.batch_norm) biases_ = table.add_block(std::move(biases));
  for (std::size_t j = 0; j < kMembers; ++j) {
    if (bn_[j]) bn_[j]->declare(table, name + kMemberNames[j] + ".bn");
  }
  branch2_.declare(table, name + ".branch2.1");
  branch3_.declare(table, name + ".branch3.1");
  pool_.declare(table, name + ".branch4.0");
  branch4_.declare(table, name + ".branch4.1");
}

Shape Inception::output_shape(const Shape& input) const {
  require(input.rank() == 4 && input[1] == options_.channels.in, name(), ": expects ", options_.channels.in,
          " channels, the input is ", input);
  return {input[0], options_.channels.out(), input[2], input[3]};
}

Tensor Inception::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = output(plan, x, destination);
  const InceptionChannels& channels = options_.channels;
  const auto members = member_channels();
  const Shape weight_shape = {members[0] + members[1] + members[2], channels.in, 1, 1};

  outputs_[0] = y.channels(0, channels.branch1);
  for (std::size_t j = 1; j < kMembers; ++j) {
    outputs_[j] =
        plan.activation(name() + kMemberNames[j] + ": output", {x.shape[0], members[j], x.shape[2], x.shape[3]});
  }
  if (options_.batch_norm) {
    preactivation_ = {x.shape[0], weight_shape[0], x.shape[2], x.shape[3]};
    const Tensor z = plan.activation(name() + ": 1x1 convolutions", preactivation_);
    std::vector<Tensor> slices;
    std::int64_t channel = 0;
    for (std::int64_t count : members) {
      slices.push_back(z.channels(channel, count));
      channel += count;
    }
    plan.add(name(), Conv2d1x1GroupForward{
                         .x = x, .w = plan.parameter(weights_, weight_shape), .bias = {}, .y = slices, .packed = {}});
    for (std::size_t j = 0; j < kMembers; ++j) bn_[j]->forward(plan, slices[j], outputs_[j]);
  } else {
    plan.add(name(), Conv2d1x1GroupForward{.relu = true,
                                           .x = x,
                                           .w = plan.parameter(weights_, weight_shape),
                                           .bias = plan.parameter(biases_, Shape{weight_shape[0]}),
                                           .y = {outputs_.begin(), outputs_.end()},
                                           .packed = {}});
  }

  std::int64_t channel = channels.branch1;
  branch2_.forward(plan, outputs_[1], y.channels(channel, channels.branch2));
  channel += channels.branch2;
  branch3_.forward(plan, outputs_[2], y.channels(channel, channels.branch3));
  channel += channels.branch3;
  pooled_ = pool_.forward(plan, x);
  branch4_.forward(plan, pooled_, y.channels(channel, channels.branch4));
  return y;
}

void Inception::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  const InceptionChannels& channels = options_.channels;
  const auto members = member_channels();
  const Shape weight_shape = {members[0] + members[1] + members[2], channels.in, 1, 1};
  const std::int64_t branch2_at = channels.branch1;
  const std::int64_t branch3_at = branch2_at + channels.branch2;
  const std::int64_t branch4_at = branch3_at + channels.branch3;

  GradTarget dpooled;
  if (target.dx.defined()) dpooled.dx = plan.activation(pool_.name() + ": output gradient", pooled_.shape);
  branch4_.backward(plan, dy.channels(branch4_at, channels.branch4), dpooled);
  GradTarget through_pool = target;
  through_pool.relu_output = {};  // the 1x1 convolutions complete the sum and apply the mask
  pool_.backward(plan, dpooled.dx, through_pool);

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
  plan.add(name(), Conv2d1x1GroupBackwardWeights{
                       .x = x_,
                       .dy = gradients,
                       .dw = plan.gradient(weights_, weight_shape),
                       .dbias = options_.batch_norm ? Tensor{} : plan.gradient(biases_, Shape{weight_shape[0]})});
  if (target.dx.defined()) {
    GradTarget sum = target;
    sum.accumulate = true;
    plan.add(name(),
             Conv2d1x1GroupBackwardData{.dy = gradients, .w = plan.parameter(weights_, weight_shape), .target = sum});
  }
}

}  // namespace minception
