#include "models/occlusion.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace minception {
namespace {

constexpr double kSide = 0.2;  // of the square, as a fraction of the image

std::array<std::uint8_t, 3> mean_colour(const DecodedImage& image) {
  const auto channels = static_cast<std::size_t>(image.shape[0]);
  std::array<double, 3> sums = {};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) sums[i % channels] += image.pixels[i];
  std::array<std::uint8_t, 3> mean = {};
  for (std::size_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<std::uint8_t>(
        std::lround(sums[c] * static_cast<double>(channels) / static_cast<double>(image.pixels.size())));
  }
  return mean;
}

/// [first, last) of the pixels that a square around the given fraction of `size` covers.
std::array<std::int64_t, 2> covered(double centre, std::int64_t size) {
  const auto at = [&](double position) {
    return std::clamp(static_cast<std::int64_t>(std::lround(position * static_cast<double>(size))), std::int64_t{0},
                      size);
  };
  return {at(centre - kSide / 2.0), at(centre + kSide / 2.0)};
}

}  // namespace

Maps occlusion_maps(Classifier& classifier, const DecodedImage& image, std::int64_t positions) {
  const DecodedImage original = classifier.prepare(image);
  const std::array<std::uint8_t, 3> colour = mean_colour(original);
  const std::int64_t channels = original.shape[0], height = original.shape[1], width = original.shape[2];
  std::vector<DecodedImage> images = {original};
  for (std::int64_t i = 0; i < positions * positions; ++i) {
    const auto centre = [&](std::int64_t index) {
      return (static_cast<double>(index) + 0.5) / static_cast<double>(positions);
    };
    const auto [top, bottom] = covered(centre(i / positions), height);
    const auto [left, right] = covered(centre(i % positions), width);
    DecodedImage hidden = original;
    for (std::int64_t y = top; y < bottom; ++y) {
      for (std::int64_t x = left; x < right; ++x) {
        for (std::int64_t c = 0; c < channels; ++c) {
          hidden.pixels[static_cast<std::size_t>((y * width + x) * channels + c)] = colour[static_cast<std::size_t>(c)];
        }
      }
    }
    images.push_back(std::move(hidden));
  }
  const std::vector<Prediction> predictions = classifier.predict(images);
  const std::vector<double>& whole = predictions.front().logits;
  Maps maps = {static_cast<std::int64_t>(whole.size()), positions, positions, {}};
  for (std::size_t c = 0; c < whole.size(); ++c) {
    for (std::size_t i = 1; i < predictions.size(); ++i) {
      maps.values.push_back(static_cast<float>(whole[c] - predictions[i].logits[c]));
    }
  }
  return maps;
}

}  // namespace minception
