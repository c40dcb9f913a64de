/// Published properties of GoogLeNet, and its input sizes.

#include "layers/conv2d.h"
#include "models/network.h"
#include "models/registry.h"
#include "models/summary.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

using namespace minception;

namespace {

Network planned(const ModelConfig& config, Backend& backend, std::int64_t batch = 1) {
  return Network(make_model(config), backend, {.max_batch = batch, .plan_only = true});
}

}  // namespace

TEST_CASE("parameter counts and stage shapes are the published ones", "[googlenet]") {
  const auto backend = make_reference_backend();
  CHECK(planned({.name = "googlenet"}, *backend).parameters().trained_values() == 5977530);
  CHECK(planned({.name = "googlenet_bn"}, *backend).parameters().trained_values() == 5984810);

  for (const char* name : {"googlenet", "googlenet_bn"}) {
    Model model = make_model({.name = name});
    Shape shape = {1, 1, 96, 96};
    std::vector<Shape> shapes;
    for (const Stage& stage : model.stages) {
      for (std::size_t i = stage.begin; i < stage.end; ++i) shape = (*model.body)[i].output_shape(shape);
      shapes.push_back(shape);
    }
    CHECK(shapes ==
          std::vector<Shape>{{1, 64, 24, 24}, {1, 192, 12, 12}, {1, 480, 6, 6}, {1, 832, 3, 3}, {1, 1024}, {1, 10}});
  }
}

TEST_CASE("multiply-accumulates of googlenet for one image", "[googlenet]") {
  const auto backend = make_reference_backend();
  const Network network = planned({.name = "googlenet"}, *backend);
  std::int64_t sum = 0;
  int convolutions = 0;
  for (const Step& step : network.plan(Mode::inference).steps()) {
    sum += multiply_accumulates(step.operation);
    if (const auto* group = std::get_if<Conv2dFused1x1Forward>(&step.operation)) {
      convolutions += static_cast<int>(group->y.size());
    } else if (std::holds_alternative<Conv2dForward>(step.operation)) {
      ++convolutions;
    }
  }
  CHECK(convolutions == 57);
  CHECK(sum / 1000000 == 276);
}

TEST_CASE("parameters have the names of torchvision and the shapes of PyTorch", "[googlenet]") {
  const auto backend = make_reference_backend();
  const Network plain = planned({.name = "googlenet"}, *backend);
  const Network normed = planned({.name = "googlenet_bn"}, *backend);
  CHECK(plain.parameters().all().size() == 2 * 57 + 2);
  CHECK(normed.parameters().all().size() == 5 * 57 + 2);
  const auto shape = [](const Network& network, const char* name) {
    const Parameter* parameter = network.parameters().find(name);
    INFO(name);
    REQUIRE(parameter != nullptr);
    return parameter->shape;
  };
  CHECK(shape(plain, "conv1.conv.weight") == Shape{64, 1, 7, 7});
  CHECK(shape(plain, "conv1.conv.bias") == Shape{64});
  CHECK(shape(plain, "conv2.conv.weight") == Shape{64, 64, 1, 1});
  CHECK(shape(plain, "conv3.conv.weight") == Shape{192, 64, 3, 3});
  CHECK(shape(plain, "inception3a.branch1.conv.weight") == Shape{64, 192, 1, 1});
  CHECK(shape(plain, "inception3a.branch2.0.conv.weight") == Shape{96, 192, 1, 1});
  CHECK(shape(plain, "inception3a.branch2.1.conv.weight") == Shape{128, 96, 3, 3});
  CHECK(shape(plain, "inception3a.branch3.0.conv.bias") == Shape{16});
  CHECK(shape(plain, "inception3a.branch3.1.conv.weight") == Shape{32, 16, 5, 5});
  CHECK(shape(plain, "inception5b.branch4.1.conv.weight") == Shape{128, 832, 1, 1});
  CHECK(shape(plain, "fc.weight") == Shape{10, 1024});
  CHECK(shape(normed, "inception3a.branch2.0.bn.running_var") == Shape{96});
  CHECK(shape(normed, "conv1.bn.weight") == Shape{64});
  CHECK(normed.parameters().find("conv1.conv.bias") == nullptr);

  // The three 1x1 convolutions of a block run as one GEMM, so their weights must be contiguous.
  const ParameterTable& table = plain.parameters();
  CHECK(table.find("inception3a.branch2.0.conv.weight")->begin ==
        table.find("inception3a.branch1.conv.weight")->begin + 64 * 192);
  CHECK(table.find("inception3a.branch3.0.conv.bias")->begin ==
        table.find("inception3a.branch2.0.conv.bias")->begin + 96);
}

TEST_CASE("any input size works and unusual sizes give a warning", "[googlenet]") {
  const auto backend = make_reference_backend();
  for (const Shape& input : {Shape{1, 17, 17}, Shape{3, 224, 224}, Shape{2, 64, 97}, Shape{1, 28, 28}}) {
    INFO(input);
    const Model model = make_model({.name = "googlenet", .input = input, .classes = 7});
    CHECK(model.warnings.empty());
    CHECK(model.body->output_shape({2, input[0], input[1], input[2]}) == Shape{2, 7});
  }
  for (const Shape& input : {Shape{1, 16, 16}, Shape{1, 1, 1}, Shape{1, 16, 96}, Shape{1, 200, 5}}) {
    INFO(input);
    const Model model = make_model({.name = "googlenet_bn", .input = input});
    REQUIRE(model.warnings.size() == 1);
    CHECK_THAT(model.warnings[0], Catch::Contains("cannot halve it any more"));
    CHECK(model.body->output_shape({1, input[0], input[1], input[2]}) == Shape{1, 10});
  }
  CHECK(planned({.name = "googlenet", .input = {3, 96, 96}, .classes = 100}, *backend).parameters().trained_values() ==
        5977530 + 2 * 64 * 49 + 90 * 1025);
}

TEST_CASE("an input that leaves a layer without output is an error that names the layer", "[googlenet]") {
  const auto backend = make_reference_backend();
  Model model;
  model.config = {.name = "valid", .input = {1, 6, 6}, .classes = 3};
  model.body = std::make_unique<Sequential>();
  model.body->add<Conv2d>("first", Conv2d::Options{.in_channels = 1, .out_channels = 4, .kernel = {5, 5}});
  model.body->add<Conv2d>("second", Conv2d::Options{.in_channels = 4, .out_channels = 4, .kernel = {3, 3}});
  CHECK_THROWS_WITH(Network(std::move(model), *backend, {.max_batch = 1, .plan_only = true}),
                    Catch::StartsWith("second: ") && Catch::Contains("leaves no output for an input [1,4,2,2]"));
}

TEST_CASE("unknown model names and invalid configurations are rejected", "[googlenet]") {
  CHECK_THROWS_WITH(make_model({.name = "googlenot"}), Catch::Contains("use one of alexnet, googlenet, googlenet_bn"));
  CHECK_THROWS_AS(make_model({.name = "googlenet", .input = {0, 96, 96}}), Error);
  CHECK_THROWS_AS(make_model({.name = "googlenet", .classes = 0}), Error);
}

TEST_CASE("insufficient memory is an error before any allocation", "[googlenet]") {
  const auto backend = make_reference_backend();
  CHECK_THROWS_WITH(Network(make_model({.name = "googlenet", .input = {1, 2000, 2000}}), *backend, {.max_batch = 4096}),
                    Catch::StartsWith("not enough memory on cpu for googlenet with batches of 4096: ") &&
                        Catch::Contains("needed") && Catch::Contains("free"));
}

TEST_CASE("layer_table and memory_table report the totals", "[googlenet]") {
  const auto backend = make_reference_backend();
  const Network network = planned({.name = "googlenet"}, *backend);
  const std::string table = layer_table(network);
  CHECK_THAT(table, Catch::Contains("stage3           [1,480,6,6]"));
  CHECK_THAT(table, Catch::Contains("total            [1,10]                  5,977,530      276.1"));
  CHECK_THAT(memory_table(network), Catch::Contains("peak"));
}
