/// Class activation maps state exactly what each position adds to a logit; occlusion finds what a prediction depends on.

#include "core/error.h"
#include "models/explanation.h"
#include "models/occlusion.h"
#include "models/registry.h"
#include "models/weights.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace minception;
using minception::testing::message_of;
using minception::testing::TemporaryFolder;

namespace {

constexpr std::int64_t kBatch = 3;

/// A network with weights and an input of noise.
struct Ready {
  std::unique_ptr<Backend> backend = make_backend("reference");
  Network network;

  explicit Ready(Model model)
      : network(std::move(model), *backend, {.max_batch = 4, .training = false, .compute = DType::f64}) {
    network.initialize(Initialization::kaiming_normal, 3);
    const Random random{5, 2};
    std::vector<float> images(static_cast<std::size_t>(kBatch * network.model().config.input.elements()));
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(random.normal(i));
    network.set_input(Mode::inference, images, {});
  }
};

double mean(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Model model_of(Sequential body) {
  Model model;
  model.config = {.name = "small", .input = {2, 9, 7}, .classes = 4};
  model.body = std::make_unique<Sequential>(std::move(body));
  return model;
}

Conv2d conv() { return Conv2d(6, 3, {.padding = 1}); }

}  // namespace

TEST_CASE("class activation maps: their means and the bias are the logits") {
  const auto check = [](Model model, const std::string& last) {
    Ready ready(std::move(model));
    Explainer explainer(ready.network);
    REQUIRE(explainer.has_class_maps());
    const std::vector<Explanation> explanations = explainer.run(kBatch);
    ready.network.infer(kBatch);
    const std::vector<double> logits = ready.network.logits(Mode::inference, kBatch);
    const std::int64_t classes = ready.network.model().config.classes;
    std::vector<double> bias(static_cast<std::size_t>(classes), 0.0);
    if (!last.empty()) bias = to_doubles(ready.network.state().at(last + ".bias"));
    REQUIRE(explanations.size() == kBatch);
    for (std::size_t n = 0; n < explanations.size(); ++n) {
      const Maps& maps = explanations[n].classes;
      REQUIRE(maps.count == classes);
      REQUIRE(maps.height * maps.width > 1);
      for (std::int64_t c = 0; c < classes; ++c) {
        const double logit = logits[n * static_cast<std::size_t>(classes) + static_cast<std::size_t>(c)];
        CHECK(mean(maps[c]) + bias[static_cast<std::size_t>(c)] == Approx(logit).epsilon(1e-5).margin(1e-6));
      }
    }
  };
  SECTION("GoogLeNet") { check(small_googlenet(true), "fc"); }
  SECTION("dropout before the linear layer") {
    check(model_of({{"conv", conv()}, {"pool", GlobalAvgPool()}, {"dropout", Dropout(0.5)}, {"fc", Linear(4)}}), "fc");
  }
  SECTION("an average pool over the whole image, flattened") {
    check(model_of({{"conv", conv()}, {"pool", AvgPool2d(Extent2d(9, 7))}, {"flatten", Flatten()}, {"fc", Linear(4)}}),
          "fc");
  }
  SECTION("a map per class that is averaged, as in NiN") {
    check(model_of({{"conv", conv()}, {"classes", Conv2d(4, 1)}, {"pool", GlobalAvgPool()}}), "");
  }
}

TEST_CASE("explainer: the output of a block is that of all its branches") {
  Ready ready(small_googlenet(false));
  const std::vector<double> weights = to_doubles(ready.network.state().at("fc.weight"));
  const std::vector<Explanation> explanations = Explainer(ready.network, "inception3b").run(kBatch);
  for (const Explanation& one : explanations) {
    REQUIRE(one.layer.count == 66);
    REQUIRE(one.features.size() == 66);
    for (std::int64_t k = 0; k < 66; ++k) {
      CHECK(mean(one.layer[k]) == Approx(one.features[static_cast<std::size_t>(k)]).epsilon(1e-5).margin(1e-6));
    }
    double first = 0.0;  // at the first position, for the last class
    for (std::size_t k = 0; k < 66; ++k) first += weights[3 * 66 + k] * one.layer[static_cast<std::int64_t>(k)][0];
    CHECK(one.classes[3][0] == Approx(first).epsilon(1e-5).margin(1e-6));
  }
}

TEST_CASE("explainer: a part of a block, the first layer and the last one") {
  Ready ready(small_googlenet(false));
  const Explanation part = Explainer(ready.network, "inception3b.branch4").run(1).front();
  const Explanation block = Explainer(ready.network, "inception3b").run(1).front();
  REQUIRE(part.layer.count == 16);
  for (std::int64_t k = 0; k < 16; ++k) {  // the last 16 of 66 channels
    CHECK(std::ranges::equal(part.layer[k], block.layer[50 + k]));
  }
  CHECK(Explainer(ready.network, "conv1").run(1).front().layer.count == 9);
  const Explanation last = Explainer(ready.network, "fc").run(1).front();
  ready.network.infer(1);
  const std::vector<double> logits = ready.network.logits(Mode::inference, 1);
  REQUIRE(last.layer.values.size() == logits.size());
  for (std::size_t c = 0; c < logits.size(); ++c) CHECK(last.layer.values[c] == static_cast<float>(logits[c]));
}

TEST_CASE("first_filters and last_layers_by_size name the layers of a network") {
  const Ready ready(small_googlenet(true));
  const FirstFilters first = first_filters(ready.network);
  CHECK(first.layer == "conv1.conv");
  CHECK(first.weights == ready.network.state().at("conv1.conv.weight"));
  CHECK(last_layers_by_size(ready.network) == std::vector<std::string>{"conv1", "inception3a", "inception3b"});
  // A block with maps of several sizes: its layers.
  Sequential features = {{"0", conv()}, {"1", ReLU()}, {"2", MaxPool2d(2)}, {"3", conv()}};
  const Ready nested(model_of({{"features", std::move(features)}, {"pool", GlobalAvgPool()}, {"fc", Linear(4)}}));
  CHECK(last_layers_by_size(nested.network).size() == 2);
  CHECK(last_layers_by_size(nested.network).back() == "features.3");
  CHECK(last_layers_by_size(nested.network).front().starts_with("features."));
  const Ready flat(model_of({{"flatten", Flatten()}, {"fc", Linear(4)}}));
  CHECK(first_filters(flat.network).layer.empty());
  CHECK(last_layers_by_size(flat.network).empty());
}

TEST_CASE("explainer: changes no metrics, and names the layers to choose from") {
  Ready ready(small_googlenet(false));
  ready.network.reset_metrics();
  Explainer(ready.network).run(kBatch);
  CHECK(ready.network.metrics().loss == 0.0);
  CHECK(message_of([&] { Explainer(ready.network, "inception9"); }) ==
        "no layer 'inception9' computes an output in small: use conv1, pool1, inception3a, pool2, inception3b, "
        "avgpool, fc");
}

TEST_CASE("explainer: no class activation maps without an average over the whole image") {
  Ready flat(model_of({{"conv", conv()}, {"flatten", Flatten()}, {"fc", Linear(4)}}));
  CHECK_FALSE(Explainer(flat.network).has_class_maps());
  Ready padded(model_of({{"conv", conv()},
                         {"pool", AvgPool2d(Extent2d(11, 9), {.padding = 1})},
                         {"flatten", Flatten()},
                         {"fc", Linear(4)}}));
  CHECK_FALSE(Explainer(padded.network).has_class_maps());
  // A map of one position says nothing about places.
  Ready single(model_of({{"conv", Conv2d(6, {9, 7})}, {"pool", GlobalAvgPool()}, {"fc", Linear(4)}}));
  CHECK_FALSE(Explainer(single.network).has_class_maps());
  const Explanation one = Explainer(flat.network).run(1).front();
  CHECK(one.features.size() == 6 * 9 * 7);
  CHECK(one.classes.count == 0);
}

TEST_CASE("occlusion maps: the pixels that a class reads are the brightest") {
  // Class 0 is the mean of the image's top left quarter, class 1 is constant.
  Model model;
  model.config = {.name = "corner", .input = {1, 8, 8}, .classes = 2};
  model.body = std::make_unique<Sequential>();
  model.body->add<Flatten>("flatten");
  model.body->add<Linear>("fc", Linear::Options{.in_features = 64, .out_features = 2});
  const auto backend = make_backend("reference");
  Network network(std::move(model), *backend, {.max_batch = 1, .training = false});
  std::vector<double> weights(128, 0.0);
  for (std::size_t y = 0; y < 4; ++y) {
    for (std::size_t x = 0; x < 4; ++x) weights[y * 8 + x] = 1.0 / 16.0;
  }
  network.load_state({{"fc.weight", to_file_tensor(weights, {2, 64}, DType::f32)},
                      {"fc.bias", to_file_tensor(std::vector<double>{0.5, 0.0}, Shape{2}, DType::f32)}});
  const TemporaryFolder folder;
  write_safetensors(folder / "w.safetensors", {network.state(), weights_metadata(network, {"bright", "other"})});
  Classifier classifier(folder / "w.safetensors", *backend, 5);

  DecodedImage image{{1, 8, 8}, std::vector<std::uint8_t>(64, 0)};
  for (std::size_t y = 0; y < 4; ++y) std::fill_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(8 * y), 4, 255);
  const Maps maps = occlusion_maps(classifier, image, 4);
  REQUIRE(maps.count == 2);
  REQUIRE(maps[0].size() == 16);
  CHECK(std::ranges::all_of(maps[1], [](float v) { return v == 0.0f; }));
  for (std::size_t i = 0; i < 16; ++i) {
    INFO("position " << i);
    if (i / 4 < 2 && i % 4 < 2) {
      CHECK(maps[0][i] > 0.0f);
    } else if (i / 4 == 3 || i % 4 == 3) {
      CHECK(maps[0][i] == 0.0f);
    }
  }
}
