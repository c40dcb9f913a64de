#pragma once
/// Random changes of images: crops and mirroring as the CIFAR-10 recipes use them (He et al. 2016, section 4.2: pad by 4,
/// crop back to the size it had, flip half of the images), parts of any size and shape, and other light.

#include <minception/core/host_device.h>
#include <minception/core/random.h>

#include <cmath>
#include <cstdint>

namespace minception {

/// The upper half of the random streams that crop and flip, the next one's that choose parts, and the next one's that change
/// colours; the lower half is the epoch. Dropout takes its stream numbers from below 2^31 in the same place, so that they
/// never meet.
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

/// A rectangle of an image, in pixels.
struct Box {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

/// The part of its image that a sample shows, as Szegedy et al. 2015, section 6, sample it: its area is between
/// `least_area` and all of the image's, its width over its height between 1 / most_aspect and most_aspect. Where a side
/// comes out longer than the image's, it is that. With words w of `random`, indices 4 * sample to 4 * sample + 3, and
/// u(w) in [0, 1):
///   area = (least_area + (1 - least_area) * u(w0)) * H * W,   q = 1 + (most_aspect - 1) * u(w1),
///   longer = sqrt(area * q),   shorter = longer / q,   higher than wide if w1 is odd, both rounded,
///   top = w2 mod (H - height + 1),   left = w3 mod (W - width + 1).
/// In double, so that no two devices round a side differently.
MINCEPTION_HOST_DEVICE inline Box draw_box(const Random& random, std::uint64_t sample, int height, int width,
                                           double least_area, double most_aspect) {
  const PhiloxBlock words = random.four(sample);
  const double area =
      (least_area + (1.0 - least_area) * Random::to_uniform(words.word[0])) * static_cast<double>(height) * width;
  const double q = 1.0 + (most_aspect - 1.0) * Random::to_uniform(words.word[1]);
  const double longer = std::sqrt(area * q);
  const double shorter = longer / q;
  const bool upright = (words.word[1] & 1u) != 0;
  const auto side = [](double length, int most) {
    const int pixels = static_cast<int>(length + 0.5);
    return pixels < 1 ? 1 : pixels > most ? most : pixels;
  };
  Box box;
  box.height = side(upright ? longer : shorter, height);
  box.width = side(upright ? shorter : longer, width);
  box.top = static_cast<int>(words.word[2] % static_cast<std::uint32_t>(height - box.height + 1));
  box.left = static_cast<int>(words.word[3] % static_cast<std::uint32_t>(width - box.width + 1));
  return box;
}

/// How the light of a photograph might have been otherwise (Howard 2013, section 2: brightness, contrast and colour), on
/// pixels in [0, 255]: t = (x * brightness - 127.5) * contrast + 127.5, then grey + saturation * (t - grey) with the grey of
/// the changed pixel, cut to [0, 255]. Nothing happens where all three are 1.
struct Colour {
  float brightness = 1.0f;
  float contrast = 1.0f;
  float saturation = 1.0f;

  MINCEPTION_HOST_DEVICE bool changes() const { return brightness != 1.0f || contrast != 1.0f || saturation != 1.0f; }
  /// The luma of ITU-R BT.601, which everyone takes.
  template <class T>
  MINCEPTION_HOST_DEVICE static T grey(T red, T green, T blue) {
    return T(0.299) * red + T(0.587) * green + T(0.114) * blue;
  }
  /// A value of a pixel whose grey before any change is `grey` (read with a saturation other than 1 alone).
  template <class T>
  MINCEPTION_HOST_DEVICE T of(T value, T grey) const {
    const auto tone = [this](T v) { return (v * brightness - T(127.5)) * contrast + T(127.5); };
    T changed = tone(value);
    if (saturation != 1.0f) {
      const T centre = tone(grey);
      changed = centre + saturation * (changed - centre);
    }
    return changed < T(0) ? T(0) : changed > T(255) ? T(255) : changed;
  }
};

/// Each of the three is uniform in 1 +- its range; from indices 4 * sample to 4 * sample + 2 of `random`.
MINCEPTION_HOST_DEVICE inline Colour draw_colour(const Random& random, std::uint64_t sample, float brightness,
                                                 float contrast, float saturation) {
  const PhiloxBlock words = random.four(sample);
  const auto factor = [](float range, std::uint32_t bits) {
    return 1.0f + range * (2.0f * Random::to_uniform(bits) - 1.0f);
  };
  return {factor(brightness, words.word[0]), factor(contrast, words.word[1]), factor(saturation, words.word[2])};
}

/// What happens to one sample.
struct DrawnAugmentation {
  CropAndFlip moved;
  Box box;
  Colour colour;
};

/// Where the augmentations of the samples of a batch come from: random numbers of a seed and three streams from `stream`
/// on, and in memory that the batch's kernel can read, {epoch, position of the batch's first sample in it}. No position:
/// samples stay as they are.
struct AugmentationSource {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;
  int padding_h = 0;
  int padding_w = 0;
  bool flip = false;
  double least_area = 1.0;
  double most_aspect = 1.0;
  float brightness = 0.0f;
  float contrast = 0.0f;
  float saturation = 0.0f;
  const std::int64_t* position = nullptr;

  /// What happens to sample n of the batch, an image of this size.
  MINCEPTION_HOST_DEVICE DrawnAugmentation draw(std::int64_t n, int height, int width) const {
    DrawnAugmentation drawn;
    drawn.box = {0, 0, height, width};
    if (position == nullptr) return drawn;
    const auto sample = static_cast<std::uint64_t>(position[1] + n);
    drawn.moved = draw_crop_and_flip(numbers(0), sample, padding_h, padding_w, flip);
    if (least_area < 1.0 || most_aspect > 1.0) {
      drawn.box = draw_box(numbers(1), sample, height, width, least_area, most_aspect);
    }
    if (brightness > 0.0f || contrast > 0.0f || saturation > 0.0f) {
      drawn.colour = draw_colour(numbers(2), sample, brightness, contrast, saturation);
    }
    return drawn;
  }

 private:
  MINCEPTION_HOST_DEVICE Random numbers(std::uint32_t part) const {
    return {seed, std::uint64_t{stream + part} << 32 | static_cast<std::uint64_t>(position[0])};
  }
};

}  // namespace minception
