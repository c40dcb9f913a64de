#pragma once
/// Image augmentation, for host and device: padded random crops and flips (He et al. 2016, section 4.2), random resized
/// crops (Szegedy et al. 2015, section 6) and colour jitter (Howard 2013, section 2).

#include "core/host_device.h"
#include "core/random.h"
#include "core/shape.h"

#include <cmath>
#include <cstdint>

namespace minception {

/// Upper half of the random stream for crop and flip; the next two values are for resized crop and colour jitter. The
/// lower half is the epoch. Dropout uses upper halves below 2^31, so the streams are disjoint.
inline constexpr std::uint32_t kAugmentationStream = 0xda7a0002;

/// Output pixel (i, j) is input pixel (i + down, (mirrored ? W - 1 - j : j) + right), or padding outside the image.
struct CropAndFlip {
  int down = 0;
  int right = 0;
  bool mirrored = false;

  MINCEPTION_HOST_DEVICE int row(int i) const { return i + down; }
  MINCEPTION_HOST_DEVICE int column(int j, int width) const { return (mirrored ? width - 1 - j : j) + right; }
};

/// Crop offsets within the padding, and mirroring, for the sample at position `sample` of the epoch. Uses indices
/// 4 * sample to 4 * sample + 2 of `random`, one Philox block. The modulo favours small offsets by at most one part in
/// 2^32 / (2 * padding + 1).
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

/// Random resized crop (Szegedy et al. 2015, section 6): a box with at least `scale` of the area and a width-to-height
/// ratio between 1 / ratio and ratio. Sides are clamped to the image. With the words w0 to w3 of `random` at indices
/// 4 * sample to 4 * sample + 3, and u(w) in [0, 1):
///   area = (scale + (1 - scale) * u(w0)) * H * W,   q = 1 + (ratio - 1) * u(w1),
///   longer = sqrt(area * q),   shorter = longer / q,   both rounded; higher than wide if w1 is odd,
///   top = w2 mod (H - height + 1),   left = w3 mod (W - width + 1).
/// All devices compute the same sides: every operation is in double and correctly rounded, and the multiply-adds are
/// written as fma, because compilers fuse a * b + c on some processors and not on others.
MINCEPTION_HOST_DEVICE inline Box draw_resized_crop(const Random& random, std::uint64_t sample, int height, int width,
                                                    double scale, double ratio) {
  const PhiloxBlock words = random.four(sample);
  const auto uniform = [](std::uint32_t bits) { return static_cast<double>(Random::to_uniform(bits)); };
  const double area = std::fma(1.0 - scale, uniform(words.word[0]), scale) * static_cast<double>(height) * width;
  const double q = std::fma(ratio - 1.0, uniform(words.word[1]), 1.0);
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

/// Colour jitter (Howard 2013, section 2) of pixels in [0, 255]: t = (x * brightness - 127.5) * contrast + 127.5, then
/// grey + saturation * (t - grey) with the grey value of t, clamped to [0, 255]. Identity if all three factors are 1.
struct ColourJitter {
  float brightness = 1.0f;
  float contrast = 1.0f;
  float saturation = 1.0f;

  MINCEPTION_HOST_DEVICE bool changes() const { return brightness != 1.0f || contrast != 1.0f || saturation != 1.0f; }
  /// Luma of ITU-R BT.601.
  template <class T>
  MINCEPTION_HOST_DEVICE static T grey(T red, T green, T blue) {
    return T(0.299) * red + T(0.587) * green + T(0.114) * blue;
  }
  /// `grey` is the grey value of the input pixel. It is read only if saturation is not 1.
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

/// Each factor is uniform in [1 - range, 1 + range]. Uses indices 4 * sample to 4 * sample + 2 of `random`.
MINCEPTION_HOST_DEVICE inline ColourJitter draw_colour_jitter(const Random& random, std::uint64_t sample,
                                                              float brightness, float contrast, float saturation) {
  const PhiloxBlock words = random.four(sample);
  const auto factor = [](float range, std::uint32_t bits) {
    return std::fma(range, 2.0f * Random::to_uniform(bits) - 1.0f, 1.0f);  // 2 u - 1 is exact
  };
  return {factor(brightness, words.word[0]), factor(contrast, words.word[1]), factor(saturation, words.word[2])};
}

/// Augmentation of one sample.
struct DrawnAugmentation {
  CropAndFlip moved;
  Box box;
  ColourJitter colour;
};

/// Augmentation settings. The defaults disable augmentation.
struct Augmentation {
  Extent2d padding = {0, 0};  ///< zero padding for random crops (He et al. 2016, section 4.2)
  bool flip = false;          ///< mirrors half of the images horizontally
  std::uint64_t seed = 1;
  std::uint32_t stream = kAugmentationStream;  ///< first of three: crop and flip, resized crop, colour jitter
  double scale = 1.0;  ///< random resized crop: smallest fraction of the area; 1 is the whole image
  double ratio = 1.0;  ///< random resized crop: largest aspect ratio; the smallest is 1 / ratio
  /// Colour jitter: factors are drawn from [1 - value, 1 + value]; 0 disables it.
  double brightness = 0.0, contrast = 0.0, saturation = 0.0;

  MINCEPTION_HOST_DEVICE bool random_resized_crop() const { return scale < 1.0 || ratio > 1.0; }
  MINCEPTION_HOST_DEVICE bool colour_jitter() const { return brightness > 0.0 || contrast > 0.0 || saturation > 0.0; }
  MINCEPTION_HOST_DEVICE bool random() const {
    return padding.h > 0 || padding.w > 0 || flip || random_resized_crop() || colour_jitter();
  }

  /// Augmentation of sample n of a batch of images of size height x width. `position` = {epoch, position in the epoch
  /// of the batch's first sample}; it may be null if random() is false.
  MINCEPTION_HOST_DEVICE DrawnAugmentation draw(const std::int64_t* position, std::int64_t n, int height,
                                                int width) const {
    DrawnAugmentation drawn;
    drawn.box = {0, 0, height, width};
    if (!random()) return drawn;
    const auto sample = static_cast<std::uint64_t>(position[1] + n);
    const auto numbers = [&](std::uint32_t part) {
      return Random{seed, std::uint64_t{stream + part} << 32 | static_cast<std::uint64_t>(position[0])};
    };
    drawn.moved =
        draw_crop_and_flip(numbers(0), sample, static_cast<int>(padding.h), static_cast<int>(padding.w), flip);
    if (random_resized_crop()) drawn.box = draw_resized_crop(numbers(1), sample, height, width, scale, ratio);
    if (colour_jitter()) {
      drawn.colour = draw_colour_jitter(numbers(2), sample, static_cast<float>(brightness),
                                        static_cast<float>(contrast), static_cast<float>(saturation));
    }
    return drawn;
  }
};

}  // namespace minception
