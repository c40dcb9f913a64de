/// All models: published parameter counts and shapes, auxiliary heads, smallest inputs, defaults.

#include "layers/conv2d.h"
#include "models/googlenet.h"
#include "models/network.h"
#include "models/registry.h"
#include "models/summary.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

using namespace minception;

namespace {

Network planned(const ModelConfig& config, Backend& backend, bool training = false) {
  return Network(make_model(config), backend, {.max_batch = 1, .training = training, .plan_only = true});
}

ModelConfig with_channels(const char* name, std::int64_t channels) {
  ModelConfig config = default_config(name);
  config.input = {channels, config.input[1], config.input[2]};
  return config;
}

std::vector<Shape> shapes_of(const Model& model) {
  Shape shape = {1, model.config.input[0], model.config.input[1], model.config.input[2]};
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < model.body->size(); ++i) {
    shape = (*model.body)[i].output_shape(shape);
    shapes.push_back(shape);
  }
  return shapes;
}

std::int64_t auxiliary_values(const Network& network) {
  std::int64_t sum = 0;
  for (const Parameter& parameter : network.parameters().all()) {
    if (parameter.trained() && parameter.name.starts_with("aux")) sum += parameter.shape.elements();
  }
  return sum;
}

}  // namespace

TEST_CASE("parameter counts are the published ones", "[zoo]") {
  const auto backend = make_reference_backend();
  struct Count {
    const char* model;
    std::int64_t channels;
    std::int64_t parameters;
  };
  const Count counts[] = {{"alexnet", 1, 46764746},  {"alexnet", 3, 46787978},      {"vgg11", 1, 128806154},
                          {"vgg11", 3, 128807306},   {"nin", 1, 1992166},           {"nin", 3, 2015398},
                          {"googlenet", 3, 5983802}, {"googlenet_small", 1, 379298}};
  for (const Count& count : counts) {
    INFO(count.model << " with " << count.channels << " channels");
    const Network network = planned(with_channels(count.model, count.channels), *backend);
    CHECK(network.parameters().trained_values() == count.parameters);
  }
  // torchvision's documentation of its models (num_params).
  for (const auto& [name, parameters] :
       {std::pair{"resnet18", 11689512}, {"resnet34", 21797672}, {"resnet50", 25557032}}) {
    INFO(name);
    CHECK(planned(default_config(name), *backend).parameters().trained_values() == parameters);
  }
  const Network v1 = planned(default_config("googlenet_v1"), *backend);
  CHECK(v1.parameters().trained_values() - auxiliary_values(v1) == 6998552);
  const Network torchvision = planned(default_config("googlenet_torchvision"), *backend);
  CHECK(torchvision.parameters().trained_values() == 13004888);
  CHECK(torchvision.parameters().trained_values() - auxiliary_values(torchvision) == 6624904);
}

TEST_CASE("shapes per layer of the classic networks are the published ones", "[zoo]") {
  using Shapes = std::vector<Shape>;
  CHECK(shapes_of(make_model(default_config("alexnet"))) == Shapes{{1, 96, 54, 54},
                                                                   {1, 96, 26, 26},
                                                                   {1, 256, 26, 26},
                                                                   {1, 256, 12, 12},
                                                                   {1, 384, 12, 12},
                                                                   {1, 384, 12, 12},
                                                                   {1, 256, 12, 12},
                                                                   {1, 256, 5, 5},
                                                                   {1, 6400},
                                                                   {1, 4096},
                                                                   {1, 4096},
                                                                   {1, 4096},
                                                                   {1, 4096},
                                                                   {1, 4096},
                                                                   {1, 4096},
                                                                   {1, 10}});
  CHECK(shapes_of(make_model(default_config("vgg11"))) ==
        Shapes{{1, 64, 224, 224}, {1, 64, 112, 112}, {1, 128, 112, 112},
               {1, 128, 56, 56},  {1, 256, 56, 56},  {1, 256, 56, 56},
               {1, 256, 28, 28},  {1, 512, 28, 28},  {1, 512, 28, 28},
               {1, 512, 14, 14},  {1, 512, 14, 14},  {1, 512, 14, 14},
               {1, 512, 7, 7},    {1, 25088},        {1, 4096},
               {1, 4096},         {1, 4096},         {1, 4096},
               {1, 4096},         {1, 4096},         {1, 10}});
  CHECK(shapes_of(make_model(default_config("vgg11_small")))[12] == Shape{1, 128, 7, 7});
  CHECK(shapes_of(make_model(default_config("nin"))) == Shapes{{1, 96, 54, 54},
                                                               {1, 96, 54, 54},
                                                               {1, 96, 54, 54},
                                                               {1, 96, 26, 26},
                                                               {1, 256, 26, 26},
                                                               {1, 256, 26, 26},
                                                               {1, 256, 26, 26},
                                                               {1, 256, 12, 12},
                                                               {1, 384, 12, 12},
                                                               {1, 384, 12, 12},
                                                               {1, 384, 12, 12},
                                                               {1, 384, 5, 5},
                                                               {1, 384, 5, 5},
                                                               {1, 10, 5, 5},
                                                               {1, 10, 5, 5},
                                                               {1, 10, 5, 5},
                                                               {1, 10}});
}

TEST_CASE("output shapes of the stages of GoogLeNets and ResNets", "[zoo]") {
  const auto stages = [](const char* name) {
    const Model model = make_model(default_config(name));
    const std::vector<Shape> layers = shapes_of(model);
    std::vector<Shape> shapes;
    for (const Stage& stage : model.stages) shapes.push_back(layers[stage.end - 1]);
    return shapes;
  };
  using Shapes = std::vector<Shape>;
  const Shapes full = {{1, 64, 56, 56}, {1, 192, 28, 28}, {1, 480, 14, 14}, {1, 832, 7, 7}, {1, 1024}, {1, 1000}};
  CHECK(stages("googlenet_v1") == full);
  CHECK(stages("googlenet_torchvision") == full);
  const Shapes small = {{1, 64, 24, 24}, {1, 192, 12, 12}, {1, 480, 6, 6}, {1, 832, 3, 3}, {1, 1024}, {1, 10}};
  for (const char* name : {"googlenet_v2", "googlenet_v3", "googlenet_residual"}) {
    INFO(name);
    CHECK(stages(name) == small);
  }
  CHECK(stages("googlenet_small") ==
        Shapes{{1, 16, 24, 24}, {1, 48, 12, 12}, {1, 120, 6, 6}, {1, 208, 3, 3}, {1, 256}, {1, 10}});
  CHECK(stages("googlenet_native") ==
        Shapes{{1, 64, 28, 28}, {1, 192, 28, 28}, {1, 480, 14, 14}, {1, 832, 7, 7}, {1, 1024}, {1, 10}});
  const Shapes resnet18 = {{1, 64, 56, 56},  {1, 64, 56, 56}, {1, 128, 28, 28},
                           {1, 256, 14, 14}, {1, 512, 7, 7},  {1, 1000}};
  CHECK(stages("resnet18") == resnet18);
  CHECK(stages("resnet34") == resnet18);
  CHECK(stages("resnet50") ==
        Shapes{{1, 64, 56, 56}, {1, 256, 56, 56}, {1, 512, 28, 28}, {1, 1024, 14, 14}, {1, 2048, 7, 7}, {1, 1000}});
  CHECK(stages("googlenet_cifar") == Shapes{{1, 192, 32, 32}, {1, 480, 16, 16}, {1, 832, 8, 8}, {1, 1024}, {1, 10}});
}

TEST_CASE("auxiliary classifiers run in training only but their weights always exist", "[zoo]") {
  const auto backend = make_reference_backend();
  for (const char* name : {"googlenet_v1", "googlenet_torchvision"}) {
    INFO(name);
    const Network network = planned(default_config(name), *backend, true);
    const auto steps_of_heads = [&](Mode mode) {
      int count = 0;
      for (const Step& step : network.plan(mode).steps()) count += step.layer.starts_with("aux");
      return count;
    };
    CHECK(network.heads() == 3);
    CHECK(network.model().auxiliary[1].loss_weight == 0.3);
    CHECK(network.model().body->name_of(network.model().auxiliary[0].after) == "inception4a");
    CHECK(network.model().body->name_of(network.model().auxiliary[1].after) == "inception4d");
    CHECK(steps_of_heads(Mode::training) > 0);
    CHECK(steps_of_heads(Mode::inference) == 0);
    CHECK(network.parameters().find("aux2.conv.conv.weight") != nullptr);
    CHECK(network.parameters().find("aux1.fc2.bias")->shape == Shape{1000});
  }
}

TEST_CASE("an input that leaves a layer without output is rejected with the name of the layer", "[zoo]") {
  struct Smallest {
    const char* model;
    std::int64_t size;  // the smallest valid size
    const char* layer;  // layer without output at smaller sizes
  };
  const Smallest cases[] = {{"alexnet", 65, "maxpool5: "}, {"vgg11", 32, "maxpool5: "}, {"nin", 67, "maxpool3: "}};
  for (const Smallest& smallest : cases) {
    INFO(smallest.model);
    CHECK_NOTHROW(make_model({.name = smallest.model, .input = {1, smallest.size, smallest.size}}));
    CHECK_THROWS_WITH(make_model({.name = smallest.model, .input = {1, smallest.size - 1, smallest.size}}),
                      Catch::StartsWith(smallest.layer) && Catch::Contains("use a larger image"));
  }
}

TEST_CASE("a pooling layer or block that cannot halve its input gives a warning with its name", "[zoo]") {
  struct Small {
    const char* model;
    std::int64_t size;  // the largest size with a warning
    const char* layer;
  };
  const Small cases[] = {{"googlenet", 16, "maxpool4"},       {"googlenet_v3", 16, "maxpool4"},
                         {"googlenet", 2, "maxpool1"},        {"googlenet_torchvision", 30, "maxpool4"},
                         {"googlenet_native", 2, "maxpool4"}, {"googlenet_cifar", 2, "maxpool4"},
                         {"resnet18", 16, "layer4.0"},        {"resnet50", 2, "maxpool"}};
  for (const Small& small : cases) {
    INFO(small.model << " " << small.size);
    const auto warnings = [&](std::int64_t size) {
      return make_model({.name = small.model, .input = {3, size, size}}).warnings;
    };
    REQUIRE(warnings(small.size).size() == 1);
    CHECK_THAT(warnings(small.size)[0], Catch::Contains(std::string(" ") + small.layer + " cannot halve it any more"));
    const std::vector<std::string> next = warnings(small.size + 1);
    CHECK((next.empty() || next[0].find(small.layer) == std::string::npos));
  }
}

TEST_CASE("invalid model options are rejected", "[zoo]") {
  CHECK_THROWS_WITH(default_config("googlenot"), Catch::Contains("use one of alexnet, googlenet, googlenet_bn"));
  CHECK_THROWS_WITH(make_model({.name = "nin", .input = {1, 224, 224}, .dropout = 1.0}),
                    Catch::Contains("below 1, not 1"));
  Inception::Options even;
  even.factor = 4;
  CHECK_THROWS_WITH(Inception(even), Catch::Contains("must be odd"));
  Inception::Options narrow;
  narrow.kind = InceptionKind::expanded;
  narrow.channels = {4, 4, 4, 1, 4, 4, 4};
  CHECK_THROWS_WITH(Inception(narrow), Catch::Contains("at least 2 channels"));
}

TEST_CASE("set_input reads images with any strides", "[zoo]") {
  const auto backend = make_reference_backend();
  const RandomBatch batch = random_batch(small_googlenet(false).config, 3);
  constexpr std::int64_t kC = 2, kH = 12, kW = 10;
  for (const DType compute : {DType::f32, DType::f64}) {
    for (const bool transform : {false, true}) {
      Model model = small_googlenet(false);
      if (transform) {
        model.input_scale = {0.5, 2.0};
        model.input_shift = {0.25, -0.5};
      }
      Network network(std::move(model), *backend, {.max_batch = 3, .training = false, .compute = compute});
      network.initialize(Initialization::kaiming_normal, 3);
      network.set_input(Mode::inference, batch.images, {});
      network.infer(3);
      const std::vector<double> expected = network.logits(Mode::inference, 3);
      // In memory (N, H, C, W), mirrored along the width, with a gap after each row.
      std::vector<float> memory(3 * kH * kC * (kW + 1), -1.0f);
      std::vector<ImageView> views;
      for (std::int64_t n = 0; n < 3; ++n) {
        float* image = memory.data() + n * kH * kC * (kW + 1);
        for (std::int64_t i = 0; i < kC * kH * kW; ++i) {
          const std::int64_t c = i / (kH * kW), h = i / kW % kH, w = i % kW;
          image[(h * kC + c) * (kW + 1) + kW - 1 - w] = batch.images[static_cast<std::size_t>(n * kC * kH * kW + i)];
        }
        views.push_back({.data = image + kW - 1, .stride_c = kW + 1, .stride_h = kC * (kW + 1), .stride_w = -1});
      }
      network.set_input(Mode::inference, views, {});
      network.infer(3);
      CHECK(network.logits(Mode::inference, 3) == expected);
    }
  }
  Network network(small_googlenet(false), *backend, {.max_batch = 2, .training = false});
  CHECK_THROWS_WITH(network.set_input(Mode::inference, batch.images, {}),
                    Catch::Contains("a batch of 3 images: from 1 to 2 are possible"));
  CHECK_THROWS_WITH(network.set_input(Mode::inference, std::span(batch.images).first(241), {}),
                    Catch::Contains("241 values are not a batch of images of [2,12,10]"));
}

TEST_CASE("the input transform applies to set_input and to resident data sets", "[zoo]") {
  const auto backend = make_reference_backend();
  const ModelConfig config = {.name = "small", .input = {2, 12, 10}, .classes = 4};
  const auto make = [&](bool transform) {
    Model model = small_googlenet(false);
    if (transform) {
      model.input_scale = {0.5, 2.0};
      model.input_shift = {0.25, -0.5};
    }
    return model;
  };
  RandomBatch batch = random_batch(config, 1);
  std::vector<std::uint8_t> bytes(batch.images.size());  // (h, w, C)
  RandomBatch by_hand = batch;
  for (std::size_t c = 0; c < 2; ++c) {
    for (std::size_t p = 0; p < 120; ++p) {
      const auto byte = static_cast<std::uint8_t>(batch.images[c * 120 + p] * 255.0f);
      bytes[p * 2 + c] = byte;
      batch.images[c * 120 + p] = static_cast<float>(byte) / 255.0f;
      by_hand.images[c * 120 + p] = batch.images[c * 120 + p] * (c == 0 ? 0.5f : 2.0f) + (c == 0 ? 0.25f : -0.5f);
    }
  }
  const auto logits = [&](Network& network) {
    network.initialize(Initialization::kaiming_normal, 3);
    network.infer(1);
    return network.logits(Mode::inference, 1);
  };
  Network plain(make(false), *backend, {.max_batch = 1, .training = false});
  plain.set_input(Mode::inference, by_hand.images, by_hand.labels);
  const std::vector<double> expected = logits(plain);
  // Without the transform the logits differ by much more than the tolerance below.
  plain.set_input(Mode::inference, batch.images, batch.labels);
  const std::vector<double> untransformed = logits(plain);
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(std::abs(untransformed[i] - expected[i]) > 1e-3 * std::abs(expected[i]));
  }
  Network given(make(true), *backend, {.max_batch = 1, .training = false});
  given.set_input(Mode::inference, batch.images, batch.labels);
  Network resident(make(true), *backend, {.max_batch = 1, .training = false, .dataset_image = Shape{2, 12, 10}});
  const ResidentDataset dataset = make_resident(*backend, {2, 12, 10}, bytes, batch.labels);
  resident.set_dataset(Mode::inference, dataset);
  resident.set_indices(std::vector<std::int32_t>{0});
  for (Network* network : {&given, &resident}) {
    const std::vector<double> found = logits(*network);
    for (std::size_t i = 0; i < 4; ++i) CHECK(found[i] == Approx(expected[i]).epsilon(1e-5));
  }
}
