/// Gradients of every layer, and tests that the check detects every fault in the backward steps.

#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/concat.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/gelu.h"
#include "layers/gradient_check.h"
#include "layers/inception.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/relu.h"
#include "layers/residual.h"
#include "layers/sequential.h"
#include "tests/layers/swish.h"

#include "tests/catch.h"

using namespace minception;

namespace {

using Make = std::function<std::unique_ptr<Layer>()>;

struct LayerCase {
  std::string name;
  Shape input;
  Make make;
};

template <class L, class... Args>
Make make(Args... args) {
  return [args...] { return std::make_unique<L>(args...); };
}

Conv2d::Options conv(std::int64_t in, std::int64_t out, Extent2d kernel, Extent2d stride, Extent2d padding, bool bias,
                     bool relu) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = kernel,
          .stride = stride,
          .padding = padding,
          .bias = bias,
          .relu = relu};
}

BasicConv2d::Options unit(std::int64_t in, std::int64_t out, std::int64_t kernel, bool batch_norm) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = {kernel, kernel},
          .padding = {kernel / 2, kernel / 2},
          .batch_norm = batch_norm};
}

Inception::Options inception(bool batch_norm, std::int64_t kernel) {
  return {.channels = {.in = 5,
                       .branch1 = 9,
                       .branch2_reduce = 10,
                       .branch2 = 9,
                       .branch3_reduce = 11,
                       .branch3 = 12,
                       .branch4 = 10},
          .batch_norm = batch_norm,
          .branch3_kernel = kernel};
}

/// Variants of Szegedy et al. 2016, with n = 3 so that a small grid has rows and columns without padding.
Inception::Options variant(InceptionKind kind, bool batch_norm, bool pool = true) {
  Inception::Options options = inception(batch_norm, 5);
  options.kind = kind;
  options.factor = 3;
  if (kind == InceptionKind::expanded) {  // enough channels per half that some are not dead
    options.channels.branch2 = 18;
    options.channels.branch3 = 20;
  }
  if (!pool) options.channels.branch4 = 0;
  return options;
}

std::vector<LayerCase> layer_cases() {
  return {
      {"Conv2d 7x7, stride 2, one channel",
       {2, 1, 11, 9},
       make<Conv2d>(conv(1, 6, {7, 7}, {2, 2}, {3, 3}, true, true))},
      {"Conv2d 1x3, no bias", {2, 3, 5, 6}, make<Conv2d>(conv(3, 4, {1, 3}, {1, 1}, {0, 1}, false, false))},
      {"Conv2d 3x3 on a row of two pixels",
       {4, 3, 1, 2},
       make<Conv2d>(conv(3, 5, {3, 3}, {1, 1}, {1, 1}, true, false))},
      {"Conv2d stride beyond the kernel", {2, 3, 9, 8}, make<Conv2d>(conv(3, 4, {2, 2}, {3, 3}, {0, 0}, true, false))},
      {"BatchNorm2d", {4, 9, 3, 3}, make<BatchNorm2d>(BatchNorm2d::Options{.channels = 9})},
      {"BatchNorm2d with ReLU", {4, 9, 3, 3}, make<BatchNorm2d>(BatchNorm2d::Options{.channels = 9, .relu = true})},
      {"BasicConv2d", {2, 3, 5, 5}, make<BasicConv2d>(unit(3, 9, 3, false))},
      {"BasicConv2d with BatchNorm", {3, 3, 4, 4}, make<BasicConv2d>(unit(3, 9, 3, true))},
      {"ReLU", {2, 5, 3, 4}, make<ReLU>()},
      {"GELU", {2, 5, 3, 4}, make<GELU>()},
      {"Swish, a custom operation with a parameter", {2, 5, 3, 4}, make<Swish>(5)},
      {"Swish below a ReLU",
       {2, 3, 4, 4},
       [] {
         auto net = std::make_unique<Sequential>();
         net->add<BasicConv2d>("below", unit(3, 5, 3, false));
         net->add<Swish>("swish", 5);
         return net;
       }},
      {"MaxPool2d",
       {2, 3, 7, 6},
       make<MaxPool2d>(Pool2dAttributes{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}})},
      {"MaxPool2d, ceil",
       {2, 3, 6, 6},
       make<MaxPool2d>(Pool2dAttributes{.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true})},
      {"AvgPool2d, padding counted",
       {2, 3, 5, 5},
       make<AvgPool2d>(Pool2dAttributes{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}})},
      {"AvgPool2d, padding not counted",
       {2, 3, 5, 5},
       make<AvgPool2d>(
           Pool2dAttributes{.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .count_include_pad = false})},
      {"AdaptiveAvgPool2d", {2, 3, 7, 5}, make<AdaptiveAvgPool2d>(Extent2d{3, 2})},
      {"GlobalAvgPool", {3, 4, 3, 2}, make<GlobalAvgPool>()},
      {"Linear", {5, 7}, make<Linear>(Linear::Options{.in_features = 7, .out_features = 4})},
      {"Linear, no bias", {5, 7}, make<Linear>(Linear::Options{.in_features = 7, .out_features = 4, .bias = false})},
      {"Flatten", {2, 3, 4, 5}, make<Flatten>()},
      {"LocalResponseNorm",
       {2, 7, 3, 3},
       make<LocalResponseNorm>(LocalResponseNormAttributes{.size = 5, .alpha = 0.7, .k = 1.5})},
      {"Dropout", {4, 3, 3, 3}, make<Dropout>(0.3, std::uint64_t{5})},
      {"Inception", {2, 5, 5, 4}, make<Inception>(inception(false, 5))},
      {"Inception, 3x3 third branch", {2, 5, 4, 4}, make<Inception>(inception(false, 3))},
      {"Inception with BatchNorm", {4, 5, 4, 4}, make<Inception>(inception(true, 5))},
      {"Inception, two 3x3", {2, 5, 5, 4}, make<Inception>(variant(InceptionKind::two_3x3, false))},
      {"Inception, factorised", {2, 5, 5, 4}, make<Inception>(variant(InceptionKind::factorised, false))},
      {"Inception, expanded", {2, 5, 5, 4}, make<Inception>(variant(InceptionKind::expanded, false))},
      {"Inception, expanded with BatchNorm", {4, 5, 4, 4}, make<Inception>(variant(InceptionKind::expanded, true))},
      {"residual Inception below a ReLU",
       {2, 3, 4, 4},
       [] {
         auto branches = std::make_unique<Sequential>();
         branches->add<Inception>("branches", variant(InceptionKind::two_3x3, false, false));
         branches->add<Conv2d>("projection", conv(30, 5, {1, 1}, {1, 1}, {0, 0}, true, false));
         auto net = std::make_unique<Sequential>();
         net->add<BasicConv2d>("below", unit(3, 5, 3, false));
         net->add<Residual>("block", "residual", std::move(branches), 0.3, true);
         return net;
       }},
      {"Sequential",
       {3, 2, 9, 9},
       [] {
         auto net = std::make_unique<Sequential>();
         net->add<Conv2d>("a", conv(2, 6, {3, 3}, {1, 1}, {1, 1}, true, true));
         net->add<MaxPool2d>("pool", Pool2dAttributes{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
         net->add<Conv2d>("b", conv(6, 5, {3, 3}, {2, 2}, {1, 1}, true, true));
         net->add<Flatten>("flatten");
         net->add<Linear>("fc", Linear::Options{.in_features = 45, .out_features = 3});
         return net;
       }},
      {"Concat of ReLU branches",
       {2, 3, 4, 4},
       [] {
         auto branches = std::make_unique<Concat>();
         branches->add<BasicConv2d>("a", unit(3, 4, 3, false));
         branches->add<BasicConv2d>("b", unit(3, 2, 1, true));
         return branches;
       }},
      {"Concat of a ReLU branch and others, below a ReLU",
       {2, 3, 5, 5},
       [] {
         auto branches = std::make_unique<Concat>();
         branches->add<BasicConv2d>("a", unit(4, 4, 3, false));
         branches->add<AvgPool2d>("b", Pool2dAttributes{.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
         branches->add<Conv2d>("c", conv(4, 3, {1, 1}, {1, 1}, {0, 0}, true, false));
         auto net = std::make_unique<Sequential>();
         net->add<BasicConv2d>("below", unit(3, 4, 3, false));
         net->add("branches", std::move(branches));
         return net;
       }},
      {"Residual, scaled, with ReLU, below a ReLU",
       {2, 3, 5, 5},
       [] {
         auto net = std::make_unique<Sequential>();
         net->add<BasicConv2d>("below", unit(3, 4, 3, false));
         net->add<Residual>("residual", "conv", std::make_unique<BasicConv2d>(unit(4, 4, 3, false)), 0.3, true);
         return net;
       }},
      {"Residual with a projection, below a ReLU",
       {4, 3, 5, 5},
       [] {
         auto net = std::make_unique<Sequential>();
         net->add<BasicConv2d>("below", unit(3, 4, 3, false));
         Sequential branch = {Conv2d(5, 3, {.stride = 2, .padding = 1, .bias = false}), BatchNorm2d({.relu = true}),
                              Conv2d(5, 3, {.padding = 1})};
         net->add("block",
                  Residual(std::move(branch), {Conv2d(5, 1, {.stride = 2, .bias = false}), BatchNorm2d()}, 1.0, true));
         net->infer("", {1, 3, 5, 5});
         return net;
       }},
      {"Residual of a ReLU branch and a projection that ends in a ReLU, scaled, below a ReLU",
       {3, 3, 5, 5},
       [] {
         auto net = std::make_unique<Sequential>();
         net->add<BasicConv2d>("below", unit(3, 6, 3, false));
         net->add("block", Residual({BasicConv2d(unit(6, 6, 3, false))}, {BasicConv2d(unit(6, 6, 1, false))}, 0.3));
         return net;
       }},
      {"Two Inceptions and a pool below a stem",
       {2, 3, 6, 6},
       [] {
         auto net = std::make_unique<Sequential>();
         net->add<BasicConv2d>("stem", unit(3, 5, 3, false));
         net->add<Inception>("a", inception(false, 5));
         net->add<MaxPool2d>("pool", Pool2dAttributes{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
         Inception::Options second = inception(false, 3);
         second.channels.in = 40;
         net->add<Inception>("b", second);
         return net;
       }},
  };
}

/// Inserts a fault into the steps of a backward pass.
struct PlantedFault {
  std::string name;
  std::function<void(std::vector<Operation>& backward)> plant;
};

/// The gradient targets of the operation, which may be masked or accumulated.
std::vector<GradTarget*> targets_of(Operation& operation) {
  std::vector<GradTarget*> targets = std::visit(
      [](auto& op) -> std::vector<GradTarget*> {
        if constexpr (requires { op.target; }) {
          return {&op.target};
        } else if constexpr (requires { op.da; }) {
          return {&op.da, &op.db};
        } else {
          return {};
        }
      },
      operation);
  std::erase_if(targets, [](const GradTarget* target) { return !target->dx.defined(); });
  return targets;
}

/// All single faults in the steps of the layer's backward pass: a step left out, an accumulation flag flipped, a ReLU
/// mask left out.
std::vector<PlantedFault> backward_faults(const LayerCase& layer) {
  std::vector<Operation> steps;
  check_gradients(*layer.make(), layer.input,
                  {.coordinates = 0, .stop_early = true, .edit_backward = [&](auto& backward) { steps = backward; }});
  std::vector<PlantedFault> faults;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string step = concat("step ", i, ", ", name_of(steps[i]));
    faults.push_back({step + ": left out", [i](std::vector<Operation>& backward) {
                        backward.erase(backward.begin() + static_cast<std::ptrdiff_t>(i));
                      }});
    const std::vector<GradTarget*> targets = targets_of(steps[i]);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const auto alter = [&](const char* what, auto change) {
        faults.push_back({concat(step, ", target ", t, ": ", what),
                          [i, t, change](std::vector<Operation>& backward) { change(*targets_of(backward[i])[t]); }});
      };
      alter("accumulation flipped", [](GradTarget& changed) { changed.accumulate = !changed.accumulate; });
      if (targets[t]->relu_output.defined()) {
        alter("mask left out", [](GradTarget& changed) { changed.relu_output = {}; });
      }
    }
  }
  return faults;
}

}  // namespace

TEST_CASE("gradients of every layer agree with central differences", "[gradients]") {
  for (const LayerCase& layer : layer_cases()) {
    DYNAMIC_SECTION(layer.name) {
      const GradientCheck check = check_gradients(*layer.make(), layer.input);
      INFO(layer.name << ": " << check.text());
      CHECK(check.ok());
      CHECK(check.checked() > 0);
    }
  }
}

TEST_CASE("the gradient check detects every fault in the steps of a backward pass", "[gradients][mutations]") {
  int planted = 0;
  for (const LayerCase& layer : layer_cases()) {
    for (const PlantedFault& fault : backward_faults(layer)) {
      ++planted;
      INFO(layer.name << ", " << fault.name);
      CHECK_FALSE(check_gradients(*layer.make(), layer.input, {.stop_early = true, .edit_backward = fault.plant}).ok());
    }
  }
  WARN(planted << " faults planted");
  CHECK(planted >= 100);
}
