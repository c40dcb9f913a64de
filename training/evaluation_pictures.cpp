/// Pictures of an evaluation record that a network draws.

#include "core/error.h"
#include "data/image_file.h"
#include "models/explanation.h"
#include "training/evaluation_record.h"
#include "training/report/picture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace minception {
namespace {

constexpr std::size_t kMostLayers = 6;
constexpr std::int64_t kMostTried = 32;                // images, until one is classified correctly
constexpr std::int64_t kMostPixels = 120'000;          // of the activations of a layer
constexpr std::int64_t kColumns = 8, kMostTiles = 24;  // of activations
constexpr std::int64_t kFilterColumns = 12;
constexpr std::int64_t kMostFilters = 256;

bool are_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

std::vector<std::uint8_t> png(const DecodedImage& image) { return encode_png(image.shape, image.pixels); }

/// Images of a data set as the network's inference input, while this object lives.
class Input {
 public:
  Input(Network& network, const ImageDataset& dataset, std::span<const std::int64_t> images) {
    std::vector<std::uint8_t> pixels;
    for (const std::int64_t index : images) {
      const std::span<const std::uint8_t> image = dataset.pixels_of(index);
      pixels.insert(pixels.end(), image.begin(), image.end());
    }
    std::vector<std::int32_t> indices(images.size());
    std::iota(indices.begin(), indices.end(), 0);
    resident_ = make_resident(network.backend(), dataset.image, pixels, std::vector<std::int32_t>(images.size(), 0));
    network.set_dataset(Mode::inference, resident_);
    network.set_indices(indices);
  }

 private:
  ResidentDataset resident_;
};

std::vector<std::uint8_t> heat_of(const Maps& classes, std::int64_t label) {
  const std::span<const float> map = classes[label];
  return png(report::heat(map, classes.height, classes.width, *std::max_element(map.begin(), map.end())));
}

/// Class and probability of one row of logits.
std::pair<std::int64_t, double> most_likely(std::span<const double> logits) {
  const auto best = std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const double logit : logits) sum += std::exp(logit - *best);
  return {best - logits.begin(), 1.0 / sum};
}

}  // namespace

void add_mistake_maps(EvaluationRecord& record, Network& network, const ImageDataset& dataset) {
  const std::vector<Mistake>& mistakes = record.evaluation.mistakes;
  if (!has_png() || mistakes.empty()) return;
  Explainer explainer(network);
  if (!explainer.has_class_maps()) return;
  std::vector<std::vector<std::uint8_t>> maps;
  const auto batch = static_cast<std::size_t>(network.options().max_batch);
  for (std::size_t begin = 0; begin < mistakes.size(); begin += batch) {
    const auto part = std::span(mistakes).subspan(begin, std::min(batch, mistakes.size() - begin));
    std::vector<std::int64_t> indices;
    for (const Mistake& mistake : part) indices.push_back(mistake.index);
    const Input input(network, dataset, indices);
    const std::vector<Explanation> explanations = explainer.run(static_cast<std::int64_t>(part.size()));
    for (std::size_t i = 0; i < part.size(); ++i) {
      const Maps& classes = explanations[i].classes;
      if (!are_finite(classes.values)) return;
      maps.push_back(heat_of(classes, part[i].predicted));
    }
  }
  record.mistake_maps = std::move(maps);
}

void add_inside_pictures(EvaluationRecord& record, Network& network, const ImageDataset& dataset) {
  if (!has_png() || dataset.size() == 0) return;
  InsidePictures inside;
  std::vector<std::int64_t> images(
      static_cast<std::size_t>(std::min({kMostTried, network.options().max_batch, dataset.size()})));
  std::iota(images.begin(), images.end(), 0);
  {
    const Input input(network, dataset, images);
    Explainer(network).run(static_cast<std::int64_t>(images.size()), false);
    const std::vector<double> logits = network.logits(Mode::inference, static_cast<std::int64_t>(images.size()));
    const std::size_t classes = logits.size() / images.size();
    for (std::size_t i = 0; i < images.size(); ++i) {
      const auto [predicted, probability] = most_likely(std::span(logits).subspan(i * classes, classes));
      if (!std::isfinite(probability)) return;
      const bool correct = predicted == dataset.labels[i];
      if (i > 0 && !correct) continue;
      inside.index = static_cast<std::int64_t>(i);
      inside.label = dataset.labels[i];
      inside.predicted = static_cast<std::int32_t>(predicted);
      inside.probability = probability;
      if (correct) break;
    }
  }
  const std::span<const std::uint8_t> pixels = dataset.pixels_of(inside.index);
  inside.image = encode_png(dataset.image, pixels);
  if (!dataset.files.empty()) {
    const std::filesystem::path file = dataset.files[static_cast<std::size_t>(inside.index)];
    inside.file = std::filesystem::absolute(file).lexically_normal().string();
  }

  const Input input(network, dataset, std::span(&inside.index, 1));
  std::vector<std::string> layers = last_layers_by_size(network);
  if (layers.size() > kMostLayers) layers.resize(kMostLayers);
  for (const std::string& layer : layers) {
    Explanation explanation = std::move(Explainer(network, layer).run(1, inside.map.empty()).front());
    const Maps& maps = explanation.layer;
    if (!are_finite(maps.values) || !are_finite(explanation.classes.values)) return;
    if (explanation.classes.count > 0) inside.map = heat_of(explanation.classes, inside.predicted);
    const std::int64_t rows = std::max<std::int64_t>(1, kMostPixels / (kColumns * maps.height * maps.width));
    const std::int64_t shown = std::min({maps.count, kMostTiles, kColumns * rows});
    inside.layers.push_back({.layer = layer,
                             .channels = maps.count,
                             .shown = shown,
                             .height = maps.height,
                             .width = maps.width,
                             .png = png(report::tiles(maps, shown, kColumns))});
  }
  const FirstFilters first = first_filters(network);
  if (!first.layer.empty()) {
    inside.first_layer = first.layer;
    for (int axis = 0; axis < 4; ++axis) inside.filters.push_back(first.weights.shape[axis]);
    inside.filters_png = png(report::filters(first.weights, kMostFilters, kFilterColumns));
  }
  record.inside = std::move(inside);
}

}  // namespace minception
