#pragma once
/// A small data set for training a small network.

#include "core/random.h"
#include "data/image_dataset.h"

#include <cstdint>

namespace minception {

inline constexpr std::int64_t kSamples = 22;

/// Noise with a bright square whose position is the class.
inline ImageDataset make_samples() {
  ImageDataset samples;
  samples.image = Shape{2, 8, 8};
  samples.class_names = {"a", "b", "c", "d"};
  const Random random{3, 9};
  for (std::int64_t n = 0; n < kSamples; ++n) {
    const auto label = static_cast<std::int32_t>(n * 7 % 4);
    samples.labels.push_back(label);
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        for (int c = 0; c < 2; ++c) {
          const bool inside = y / 4 == label / 2 && x / 4 == label % 2;
          samples.pixels.push_back(
              static_cast<std::uint8_t>(random.bits(samples.pixels.size()) % 100 + (inside ? 120 : 0)));
        }
      }
    }
  }
  return samples;
}

}  // namespace minception
