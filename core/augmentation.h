#pragma once
/// Random crops and mirroring of images, as the CIFAR-10 recipes use them (He et al. 2016, section 4.2: pad by 4, crop
/// back to the size it had, flip half of the images).

#include <minception/core/host_device.h>
#include <minception/core/random.h>

#include <cstdint>

namespace minception {

/// The upper half of the random streams that crop and flip; the lower half is the epoch. Dropout takes its stream numbers
/// from below 2^31 in the same place, so the two never meet.
inline constexpr std::uint32_t kAugmentationStream = 0xda7a0002;

/// Pixel (i, j) of the result is pixel (i + down, (mirrored ? W - 1 - j : j) + right) of the image, or padding outside.
struct CropAndFlip {
  int down = 0;
  int right = 0;
  bool mirrored = false;

  /// Pixel (i, j) of the result comes from row row(i) and column column(j, W) of the image.
  MINCEPTION_HOST_DEVICE int row(int i) const { return i + down; }
  MINCEPTION_HOST_DEVICE int column(int j, int width) const { return (mirrored ? width - 1 - j : j) + right; }
};

/// What happens to the sample at position `sample` of the epoch whose random numbers these are: an image padded by
/// padding_h rows and padding_w columns on every side is cropped to its own size at one of (2 * padding_h + 1) *
/// (2 * padding_w + 1) places, and mirrored in one of two cases if `flip` asks for it. Indices 4 * sample to
/// 4 * sample + 2 of `random` are used: one Philox block per sample. (The modulo favours small offsets by at most one
/// part in 2^32 / (2 * padding + 1).)
MINCEPTION_HOST_DEVICE inline CropAndFlip draw_crop_and_flip(const Random& random, std::uint64_t sample, int padding_h,
                                                             int padding_w, bool flip) {
  const PhiloxBlock words = random.four(sample);
  const auto offset = [](std::uint32_t bits, int padding) {
    return static_cast<int>(bits % static_cast<std::uint32_t>(2 * padding + 1)) - padding;
  };
  return {offset(words.word[0], padding_h), offset(words.word[1], padding_w), flip && (words.word[2] & 1u) != 0};
}

/// Where the crop and flip of each sample of a batch come from: random numbers of a (seed, stream), and in memory that
/// the batch's kernel can read, {epoch, position of the batch's first sample in it}. No position: nothing is moved.
struct CropAndFlipSource {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;
  int padding_h = 0;
  int padding_w = 0;
  bool flip = false;
  const std::int64_t* position = nullptr;

  /// What happens to sample n of the batch.
  MINCEPTION_HOST_DEVICE CropAndFlip draw(std::int64_t n) const {
    if (position == nullptr) return {};
    const Random random{seed, std::uint64_t{stream} << 32 | static_cast<std::uint64_t>(position[0])};
    return draw_crop_and_flip(random, static_cast<std::uint64_t>(position[1] + n), padding_h, padding_w, flip);
  }
};

}  // namespace minception
