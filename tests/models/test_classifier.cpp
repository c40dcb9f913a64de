/// A classifier gives training images exactly the logits of the trained network.

#include "core/error.h"
#include "models/classifier.h"
#include "models/registry.h"
#include "models/weights.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

using namespace minception;
using minception::testing::message_of;
using minception::testing::TemporaryFolder;

namespace {

const std::vector<std::string> kNames = {"cat", "dog", "cow"};

std::vector<const char*> devices() {
#ifdef MINCEPTION_HAVE_CPU
  return {"reference", "cpu"};
#else
  return {"reference"};
#endif
}

DecodedImage noise(const Shape& shape, std::uint64_t seed) {
  DecodedImage image{shape, {}};
  const Random random{seed, 4};
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(random.bits(static_cast<std::uint64_t>(i)) & 255));
  }
  return image;
}

/// A GoogLeNet for a data set of such images, and its weights file.
struct Trained {
  TemporaryFolder folder;
  std::unique_ptr<Backend> backend;
  Shape image;
  Network network;

  Trained(const char* device, const Shape& data_image, std::int64_t height, std::int64_t width)
      : backend(make_backend(device)),
        image(data_image),
        network(make_model({.input = {data_image[0], height, width}, .classes = 3}), *backend,
                {.max_batch = 5, .training = false, .dataset_image = data_image, .scale = {0.02f}, .shift = {-1.5f}}) {
    network.initialize(Initialization::kaiming_normal, 7);
    write_safetensors(path(), {network.state(), weights_metadata(network, kNames)});
  }
  std::filesystem::path path() const { return folder / "model.safetensors"; }

  /// Logits of data set images from the trained network.
  std::vector<double> logits(const std::vector<DecodedImage>& images) {
    std::vector<std::uint8_t> pixels;
    for (const DecodedImage& one : images) pixels.insert(pixels.end(), one.pixels.begin(), one.pixels.end());
    const ResidentDataset dataset = make_resident(*backend, image, pixels, std::vector<std::int32_t>(images.size(), 0));
    std::vector<std::int32_t> indices(images.size());
    std::iota(indices.begin(), indices.end(), 0);
    network.set_dataset(Mode::inference, dataset);
    network.set_indices(indices);
    const auto batch = static_cast<std::int64_t>(images.size());
    network.infer(batch);
    return network.logits(Mode::inference, batch);
  }
};

std::vector<double> all_logits(const std::vector<Prediction>& predictions) {
  std::vector<double> logits;
  for (const Prediction& p : predictions) logits.insert(logits.end(), p.logits.begin(), p.logits.end());
  return logits;
}

}  // namespace

TEST_CASE("a classifier reproduces the logits of the trained network bit for bit") {
  struct Sizes {
    Shape image;
    std::int64_t height, width;
  };
  for (const char* device : devices()) {
    // Resize to larger, to smaller, to larger in one direction only, and not at all.
    for (const Sizes& sizes : {Sizes{{1, 14, 12}, 20, 17}, Sizes{{3, 40, 41}, 18, 17}, Sizes{{3, 30, 10}, 18, 19},
                               Sizes{{1, 17, 18}, 17, 18}}) {
      INFO(device << ", " << sizes.image << " to " << sizes.height << "x" << sizes.width);
      Trained trained(device, sizes.image, sizes.height, sizes.width);
      std::vector<DecodedImage> images;
      for (std::uint64_t i = 0; i < 5; ++i) images.push_back(noise(sizes.image, i));
      const std::vector<double> expected = trained.logits(images);
      REQUIRE(std::all_of(expected.begin(), expected.end(), [](double v) { return std::isfinite(v) && v != 0.0; }));
      // The logits of different images differ by much more than the tolerance below.
      for (std::size_t i = 3; i < expected.size(); ++i) {
        REQUIRE(std::abs(expected[i] - expected[i - 3]) > 1e-3 * std::abs(expected[i]));
      }

      Classifier classifier(trained.path(), *trained.backend, 5);
      CHECK(classifier.class_names() == kNames);
      CHECK(all_logits(classifier.predict(images)) == expected);
      // Another batch size may change the order of sums.
      for (const std::int64_t max_batch : {2, 32}) {
        Classifier other(trained.path(), *trained.backend, max_batch);
        const std::vector<double> logits = all_logits(other.predict(images));
        REQUIRE(logits.size() == expected.size());
        double worst = 0.0, scale = 0.0;
        for (std::size_t i = 0; i < logits.size(); ++i) {
          worst = std::max(worst, std::abs(logits[i] - expected[i]));
          scale = std::max(scale, std::abs(expected[i]));
        }
        CHECK(!(worst > 2e-5 * scale));
      }
    }
  }
}

TEST_CASE("images of any size and colour are converted to the image shape of the data set first") {
  Trained trained("reference", {3, 20, 24}, 17, 30);
  Classifier classifier(trained.path(), *trained.backend);
  const std::vector<DecodedImage> images = {noise({1, 9, 100}, 1), noise({3, 333, 222}, 2), noise({3, 1, 1}, 3),
                                            noise({1, 20, 24}, 4)};
  const std::vector<Prediction> predictions = classifier.predict(images);
  REQUIRE(predictions.size() == images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    const DecodedImage prepared = classifier.prepare(images[i]);
    CHECK(prepared.shape == trained.image);
    // Prepared images are not changed again.
    CHECK(classifier.predict(std::vector{prepared})[0].logits == predictions[i].logits);
    CHECK(trained.logits({prepared}) == predictions[i].logits);
  }
  CHECK(predictions[0].logits != predictions[1].logits);
  CHECK(classifier.predict(std::span<const DecodedImage>()).empty());
}

TEST_CASE("probabilities are the softmax of the logits and the class has the largest") {
  Trained trained("reference", {1, 10, 10}, 17, 17);
  Classifier classifier(trained.path(), *trained.backend);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const Prediction p = classifier.predict(std::vector{noise({1, 10, 10}, seed)})[0];
    REQUIRE(p.logits.size() == 3);
    REQUIRE(p.probabilities.size() == 3);
    double sum = 0.0;
    for (double logit : p.logits) sum += std::exp(logit);
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(p.probabilities[c] == Approx(std::exp(p.logits[c]) / sum).epsilon(1e-12));
      CHECK(!(p.logits[c] > p.logits[p.class_index]));
    }
  }
  // All-zero weights make all logits equal: the lowest class wins.
  auto state = trained.network.state();
  for (auto& [name, tensor] : state) std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0});
  write_safetensors(trained.path(), {state, weights_metadata(trained.network, kNames)});
  const Prediction equal = Classifier(trained.path(), *trained.backend).predict(std::vector{noise({1, 5, 5}, 1)})[0];
  CHECK(equal.class_index == 0);
  CHECK(equal.probabilities[2] == Approx(1.0 / 3.0));
  // Weights that overflow are an error.
  std::vector<double> biases = {0.0, 3e38, 0.0};
  state.at("fc.bias") = to_file_tensor(biases, Shape{3}, DType::f32);
  std::vector<double> weights(static_cast<std::size_t>(state.at("fc.weight").shape.elements()), 0.0);
  state.at("inception5b.branch1.conv.bias") = to_file_tensor(std::vector<double>(384, 1e38), Shape{384}, DType::f32);
  std::fill_n(weights.begin() + 1024, 384, 1.0);
  state.at("fc.weight") = to_file_tensor(weights, {3, 1024}, DType::f32);
  write_safetensors(trained.path(), {state, weights_metadata(trained.network, kNames)});
  CHECK_THROWS_WITH(Classifier(trained.path(), *trained.backend).predict(std::vector{noise({1, 5, 5}, 1)}),
                    Catch::Contains("model.safetensors: these weights overflow, first in fc (linear_forward): 1 of 3 "
                                    "values of y are not finite"));
  // NaN weights are rejected.
  const float nan = std::nanf("");
  std::memcpy(state.at("fc.bias").bytes.data() + sizeof(float), &nan, sizeof nan);
  write_safetensors(trained.path(), {state, weights_metadata(trained.network, kNames)});
  CHECK_THAT(message_of([&] { Classifier(trained.path(), *trained.backend); }),
             Catch::StartsWith(trained.path().string() + ": NaN or infinity in the tensor fc.bias (1 of 3 values)"));
}

TEST_CASE("a classifier rejects invalid weights files with an error that names the file") {
  Trained trained("reference", {2, 10, 10}, 17, 17);
  CHECK_THAT(message_of([&] { Classifier(trained.path(), *trained.backend); }),
             Catch::Contains(trained.path().string() + ": its model expects 2 channels; images have 1 or 3"));
  CHECK_THAT(message_of([&] { Classifier(trained.folder / "nowhere", *trained.backend); }), Catch::Contains("nowhere"));
  Trained other("reference", {1, 10, 10}, 17, 17);
  auto state = other.network.state();
  state.erase("fc.bias");
  write_safetensors(other.path(), {state, weights_metadata(other.network, kNames)});
  CHECK_THAT(message_of([&] { Classifier(other.path(), *other.backend); }),
             Catch::StartsWith(other.path().string() + ": the tensor fc.bias of googlenet is missing"));
}

TEST_CASE("predictions rank the most probable classes first, ties in the order of the classes") {
  Prediction prediction;
  prediction.probabilities = {0.1, 0.3, 0.2, 0.3, 0.1};
  CHECK(prediction.ranked(5) == std::vector<std::size_t>{1, 3, 2, 0, 4});
  CHECK(prediction.ranked(9).size() == 5);
  CHECK(prediction.ranked(2) == std::vector<std::size_t>{1, 3});
}
