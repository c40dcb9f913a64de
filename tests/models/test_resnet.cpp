/// Published properties of ResNets, the steps of their blocks, small images.

#include "layers/avg_pool2d.h"
#include "layers/concat.h"
#include "layers/linear.h"
#include "layers/residual.h"
#include "models/gradient_check.h"
#include "models/network.h"
#include "models/registry.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

using namespace minception;

namespace {

Network planned(Model model, Backend& backend) {
  return Network(std::move(model), backend, {.max_batch = 2, .plan_only = true});
}

/// The operations of a layer and those inside it, with the layer that added them: "conv1 conv2d_forward".
std::vector<std::string> steps_of(const Network& network, Mode mode, const std::string& layer, Phase phase) {
  std::vector<std::string> steps;
  for (const Step& step : network.plan(mode).steps()) {
    const bool own = step.layer == layer, inside = step.layer.starts_with(layer + ".");
    if (step.phase != phase || !(own || inside)) continue;
    steps.push_back((own ? "block" : step.layer.substr(layer.size() + 1)) + " " + std::string(name_of(step.operation)));
  }
  return steps;
}

}  // namespace

TEST_CASE("ResNets have the multiply-accumulates that torchvision publishes", "[resnet]") {
  const auto backend = make_reference_backend();
  for (const auto& [name, millions] : {std::pair{"resnet18", 1814}, {"resnet34", 3664}, {"resnet50", 4089}}) {
    INFO(name);
    const Network network(make_model(default_config(name)), *backend, {.max_batch = 1, .plan_only = true});
    std::int64_t sum = 0;
    for (const Step& step : network.plan(Mode::inference).steps()) sum += multiply_accumulates(step.operation);
    CHECK((sum + 500'000) / 1'000'000 == millions);
  }
}

TEST_CASE("ResNets have torchvision's parameter names and its strides", "[resnet]") {
  const auto backend = make_reference_backend();
  const Network small = planned(make_model(default_config("resnet18")), *backend);
  const Network large = planned(make_model(default_config("resnet50")), *backend);
  const auto shape = [](const Network& network, const char* name) {
    const Parameter* parameter = network.parameters().find(name);
    return parameter != nullptr ? parameter->shape : Shape();
  };
  CHECK(small.parameters().all().size() == 20 * 1 + 20 * 4 + 2);
  CHECK(large.parameters().all().size() == 53 * 1 + 53 * 4 + 2);
  CHECK(shape(small, "conv1.weight") == Shape{64, 3, 7, 7});
  CHECK(shape(small, "bn1.running_mean") == Shape{64});
  CHECK(shape(small, "layer1.0.conv1.weight") == Shape{64, 64, 3, 3});
  CHECK(shape(small, "layer2.0.downsample.0.weight") == Shape{128, 64, 1, 1});
  CHECK(shape(small, "layer4.0.downsample.1.running_var") == Shape{512});
  CHECK(shape(small, "layer1.0.downsample.0.weight") == Shape());
  CHECK(shape(small, "fc.weight") == Shape{1000, 512});
  CHECK(shape(large, "layer1.0.downsample.0.weight") == Shape{256, 64, 1, 1});
  CHECK(shape(large, "layer3.5.conv3.weight") == Shape{1024, 256, 1, 1});
  CHECK(shape(large, "fc.bias") == Shape{1000});
  for (const Step& step : large.plan(Mode::training).steps()) {
    const auto* convolution = std::get_if<Conv2dForward>(&step.operation);
    if (convolution == nullptr || !step.layer.starts_with("layer2.0.")) continue;
    INFO(step.layer);
    const bool strided = step.layer == "layer2.0.conv2" || step.layer == "layer2.0.downsample.0";
    CHECK(convolution->attributes.stride == Extent2d(strided ? 2 : 1));
  }
}

TEST_CASE("a block with a projection adds one step to those of its branches", "[resnet]") {
  using Steps = std::vector<std::string>;
  const auto backend = make_reference_backend();
  const Network network = planned(small_resnet(), *backend);
  CHECK(steps_of(network, Mode::training, "layer1.0", Phase::forward) ==
        Steps{"downsample.0 conv2d_forward", "downsample.1 batch_norm_forward_training", "conv1 conv2d_forward",
              "bn1 batch_norm_forward_training", "conv2 conv2d_forward", "bn2 batch_norm_forward_training",
              "block add_forward"});
  // Both branches read the gradient of the sum.
  CHECK(steps_of(network, Mode::training, "layer1.0", Phase::backward) ==
        Steps{"downsample.1 batch_norm_backward", "downsample.0 conv2d_backward_weights",
              "downsample.0 conv2d_backward_data", "bn2 batch_norm_backward", "conv2 conv2d_backward_weights",
              "conv2 conv2d_backward_data", "bn1 batch_norm_backward", "conv1 conv2d_backward_weights",
              "conv1 conv2d_backward_data"});
  CHECK(steps_of(network, Mode::inference, "layer1.0", Phase::forward) ==
        Steps{"downsample.1 fold_batch_norm", "downsample.0 conv2d_forward", "bn1 fold_batch_norm",
              "conv1 conv2d_forward", "bn2 fold_batch_norm", "conv2 conv2d_forward", "block add_forward"});
  const Steps scaled = steps_of(network, Mode::training, "layer2.0", Phase::backward);
  CHECK(std::count(scaled.begin(), scaled.end(), "block add_backward") == 1);
}

TEST_CASE("the sum of a block with a projection is written to its destination", "[resnet]") {
  const auto backend = make_reference_backend();
  Sequential body;
  body.add("parts",
           Concat({{"block", Residual({Conv2d(4, 3, {.padding = 1})}, {Conv2d(4, 1)})}, {"other", Conv2d(3, 1)}}));
  body.add("avgpool", GlobalAvgPool()).add("fc", Linear(2));
  const Network network = planned({"own", std::move(body), {2, 6, 6}, 2}, *backend);
  int sums = 0;
  for (const Step& step : network.plan(Mode::inference).steps()) {
    CHECK(name_of(step.operation) != "concat_forward");
    if (const auto* sum = std::get_if<AddForward>(&step.operation)) {
      ++sums;
      CHECK(sum->y.c() == 4);
      CHECK(sum->y.pixel_stride == 7);
    }
  }
  CHECK(sums == 1);
}

TEST_CASE("gradients of a network with projections agree with central differences", "[gradients]") {
  const GradientCheck check = check_gradients(small_resnet(), {.batch = 6, .coordinates = 4});
  INFO(check.text());
  CHECK(check.ok());
}

TEST_CASE("ResNets accept small images", "[resnet]") {
  const auto backend = make_reference_backend();
  for (const char* name : {"resnet18", "resnet34", "resnet50"}) {
    for (const std::int64_t size : {1, 28, 32, 96}) {
      INFO(name << " " << size);
      Model model = make_model({.name = name, .input = {1, size, size}});
      CHECK(model.warnings.empty() == (size >= 17));
      CHECK_NOTHROW(planned(std::move(model), *backend));
    }
  }
}

#ifdef MINCEPTION_HAVE_CPU
TEST_CASE("resnet18 learns a batch of 28x28 images on the cpu backend", "[cpu]") {
  const auto cpu = make_cpu_backend();
  Network network(make_model({.name = "resnet18", .input = {1, 28, 28}}), *cpu,
                  {.max_batch = 16, .optimizer = Sgd{.momentum = 0.9}});
  network.initialize(Initialization::resnet, 1);
  const RandomBatch data = random_batch(network.model().config, 16);
  std::vector<double> losses;
  for (int step = 0; step < 12; ++step) {
    network.reset_metrics();
    network.set_input(Mode::training, data.images, data.labels);
    network.set_control(1, 16 * step, 0.02f, 0.9f);
    network.train_step(16);
    losses.push_back(network.metrics().loss / 16.0);
  }
  INFO("loss " << losses.front() << " to " << losses.back());
  CHECK(losses.front() == Approx(std::log(10.0)).margin(1.0));  // near chance: ln(classes)
  CHECK(losses.back() < 0.1);
}
#endif
