#include "models/classifier.h"
#include "core/error.h"
#include "models/finite.h"
#include "models/registry.h"
#include "models/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace minception {

Prediction make_prediction(std::span<const double> logits, const std::vector<std::string>& class_names) {
  Prediction prediction;
  prediction.logits.assign(logits.begin(), logits.end());
  const auto largest = std::max_element(logits.begin(), logits.end(),
                                        [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; });
  prediction.class_index = static_cast<std::size_t>(largest - logits.begin());
  prediction.class_name = class_names[prediction.class_index];
  double sum = 0.0;
  for (double logit : logits) prediction.probabilities.push_back(std::exp(logit - *largest));
  for (double value : prediction.probabilities) sum += value;
  for (double& value : prediction.probabilities) value /= sum;
  return prediction;
}

std::vector<std::size_t> Prediction::ranked(std::size_t most) const {
  std::vector<std::size_t> classes(probabilities.size());
  std::iota(classes.begin(), classes.end(), std::size_t{0});
  std::stable_sort(classes.begin(), classes.end(),
                   [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
  classes.resize(std::min(most, classes.size()));
  return classes;
}

Classifier::Classifier(const std::filesystem::path& weights, Backend& backend, std::int64_t max_batch,
                       const WeightsDescription& described)
    : backend_(backend), weights_file_(weights.string()) {
  require(max_batch >= 1, "batches of ", max_batch, " images: at least 1 is needed");
  WeightsFile file = read_weights_file(weights, described);
  const std::int64_t channels = file.config.input[0];
  require(channels == 1 || channels == 3, weights.string(), ": its model expects ", channels,
          " channels; images have 1 or 3");
  network_ = std::make_unique<Network>(
      make_model(file.config), backend_,
      NetworkOptions{.max_batch = max_batch, .training = false, .scale = file.scale, .shift = file.shift});
  load_weights(*network_, file, weights);
  class_names_ = std::move(file.class_names);
  image_ = file.image;
  image_options_ = file.image_options;
}

Classifier::Classifier(const std::filesystem::path& weights, const std::string& device)
    : Classifier(weights, make_backend(device)) {}

Classifier::Classifier(const std::filesystem::path& weights, std::unique_ptr<Backend> owned)
    : Classifier(weights, *owned) {
  owned_ = std::move(owned);
}

DecodedImage Classifier::prepare(DecodedImage image) const {
  return fitted_to(with_channels(std::move(image), image_[0]), image_[1], image_[2], image_options_);
}

DecodedImage Classifier::read(const std::filesystem::path& path) const {
  return load_image(path, image_[0], image_[1], image_[2], image_options_);
}

DecodedImage Classifier::read(std::span<const std::uint8_t> file, const std::string& name) const {
  return load_image(file, name, image_[0], image_[1], image_[2], image_options_);
}

void Classifier::load(std::span<const DecodedImage> images) {
  const Shape& input = config().input;
  const auto count = static_cast<std::int64_t>(images.size());
  const std::vector<std::int32_t> zero = {0};  // index and label of the only sample of each data set
  const Buffer index = backend_.allocate(sizeof(std::int32_t));
  const Buffer unused_label = backend_.allocate(sizeof(std::int32_t));
  const Shape one = {1, input[0], input[1], input[2]};
  const Tensor y(one, DType::f32, nullptr, backend_.device());
  const Buffer loaded = backend_.allocate(static_cast<std::size_t>(count) * y.bytes());
  for (std::int64_t i = 0; i < count; ++i) {
    // Image sizes differ, so each image is a data set of its own.
    const DecodedImage image = prepare(images[static_cast<std::size_t>(i)]);
    const ResidentDataset dataset = make_resident(backend_, image.shape, image.pixels, zero);
    LoadBatch operation = {.scale = network_->options().scale,
                           .shift = network_->options().shift,
                           .images = dataset.images,
                           .labels = dataset.labels,
                           .indices = Tensor(Shape{1}, DType::i32, index.data(), backend_.device()),
                           .y = y,
                           .y_labels = Tensor(Shape{1}, DType::i32, unused_label.data(), backend_.device())};
    operation.y.data = static_cast<std::byte*>(loaded.data()) + static_cast<std::size_t>(i) * y.bytes();
    const Requirements needs = backend_.plan(operation);
    const Buffer workspace = backend_.allocate(needs.workspace);
    backend_.run(operation, {workspace.data(), workspace.bytes()});
    backend_.synchronize();  // before the buffers of this image are freed
  }
  std::vector<float> values(static_cast<std::size_t>(count * one.elements()));
  backend_.copy_to_host(values.data(), loaded.data(), values.size() * sizeof(float));
  std::vector<ImageView> views;
  for (std::int64_t i = 0; i < count; ++i) {
    views.push_back({.data = values.data() + i * one.elements(),
                     .stride_c = 1,
                     .stride_h = input[2] * input[0],
                     .stride_w = input[0]});
  }
  network_->set_input(Mode::inference, views, {});
}

std::vector<Prediction> Classifier::predict(std::span<const DecodedImage> images) {
  std::vector<Prediction> predictions;
  const auto classes = static_cast<std::size_t>(config().classes);
  const auto max_batch = static_cast<std::size_t>(network_->options().max_batch);
  while (!images.empty()) {
    const std::size_t batch = std::min(images.size(), max_batch);
    load(images.first(batch));
    images = images.subspan(batch);
    if (looked_at_) {
      network_->infer(static_cast<std::int64_t>(batch));
    } else {
      const std::string overflow = find_overflow(*network_, static_cast<std::int64_t>(batch));
      require(overflow.empty(), weights_file_, ": these weights overflow, first in ", overflow);
      looked_at_ = true;
    }
    const std::vector<double> logits = network_->logits(Mode::inference, static_cast<std::int64_t>(batch));
    for (std::size_t i = 0; i < batch; ++i) {
      predictions.push_back(make_prediction(std::span(logits).subspan(i * classes, classes), class_names_));
    }
  }
  return predictions;
}

Prediction Classifier::predict(const std::filesystem::path& image) {
  const DecodedImage decoded = read(image);
  return predict(std::span(&decoded, 1)).front();
}

}  // namespace minception
