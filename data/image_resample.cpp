/// Resizing and channel conversion with the results of PIL (Pillow): its grey weights, and its "bilinear", which
/// averages over all pixels when shrinking and rounds to bytes after each axis, width first.

#include "core/error.h"
#include "data/image_file.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace minception {
namespace {

void check(const DecodedImage& image) {
  const Shape& shape = image.shape;
  require(shape.rank() == 3 && (shape[0] == 1 || shape[0] == 3) && shape[1] >= 1 && shape[2] >= 1, "an image of shape ",
          shape, " is neither grey nor RGB: (C, H, W) with C 1 or 3 is needed");
  require(image.pixels.size() == static_cast<std::size_t>(shape.elements()), "an image of ", shape, " has ",
          shape.elements(), " bytes, not ", image.pixels.size());
}

/// Weights are multiples of 2^-22, as in PIL, so that ties between two bytes round the same way.
constexpr int kWeightBits = 22;

/// Source pixels and weights of one result pixel.
struct Coefficients {
  std::size_t first = 0;
  std::vector<std::int32_t> weights;
};

/// Triangle filter centred on result pixel `index`, with a half-width of one pixel: a result pixel if the extent
/// shrinks, else a source pixel. scale = source extent / result extent.
Coefficients triangle(std::int64_t index, double scale, std::int64_t extent) {
  const double middle = (static_cast<double>(index) + 0.5) * scale;
  const double reach = std::max(scale, 1.0);
  const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(middle - reach)));
  const auto end = std::min<std::int64_t>(extent, static_cast<std::int64_t>(std::ceil(middle + reach)));
  const auto weight_of = [&](std::int64_t i) {
    return std::max(0.0, 1.0 - std::abs(static_cast<double>(i) + 0.5 - middle) / reach);
  };
  double sum = 0.0;
  for (std::int64_t i = first; i < end; ++i) sum += weight_of(i);
  Coefficients coefficients{static_cast<std::size_t>(first), {}};
  for (std::int64_t i = first; i < end; ++i) {
    coefficients.weights.push_back(static_cast<std::int32_t>(std::lround(weight_of(i) / sum * (1 << kWeightBits))));
  }
  return coefficients;
}

/// Resizes the middle axis of (outer, extent, inner).
std::vector<std::uint8_t> resize_axis(const std::vector<std::uint8_t>& pixels, std::int64_t extent, std::size_t inner,
                                      std::int64_t new_extent) {
  const double scale = static_cast<double>(extent) / static_cast<double>(new_extent);
  std::vector<Coefficients> coefficients;
  for (std::int64_t i = 0; i < new_extent; ++i) coefficients.push_back(triangle(i, scale, extent));
  const std::size_t plane = static_cast<std::size_t>(extent) * inner;
  std::vector<std::uint8_t> result;
  result.reserve(pixels.size() / static_cast<std::size_t>(extent) * static_cast<std::size_t>(new_extent));
  std::vector<std::int32_t> sums(inner);  // below 2^31: the weights of a pixel sum to about 2^22, times 255
  for (std::size_t outer = 0; outer < pixels.size(); outer += plane) {
    for (const Coefficients& coefficient : coefficients) {
      std::fill(sums.begin(), sums.end(), 1 << (kWeightBits - 1));  // adding one half makes the shift round
      const std::uint8_t* source = pixels.data() + outer + coefficient.first * inner;
      for (std::int32_t weight : coefficient.weights) {
        for (std::int32_t& sum : sums) sum += weight * *source++;
      }
      for (std::int32_t sum : sums) result.push_back(static_cast<std::uint8_t>(std::min(sum >> kWeightBits, 255)));
    }
  }
  return result;
}

}  // namespace

DecodedImage with_channels(DecodedImage image, std::int64_t channels) {
  check(image);
  require(channels == 1 || channels == 3, "an image cannot have ", channels, " channels; use 1 (grey) or 3 (RGB)");
  if (image.shape[0] == channels) return image;
  DecodedImage result;
  result.shape = Shape{channels, image.shape[1], image.shape[2]};
  result.pixels.reserve(static_cast<std::size_t>(result.shape.elements()));
  if (channels == 3) {
    for (std::uint8_t value : image.pixels) result.pixels.insert(result.pixels.end(), 3, value);
  } else {
    // 0.299, 0.587 and 0.114 times 65536, rounded as in PIL.
    for (std::size_t at = 0; at < image.pixels.size(); at += 3) {
      const int sum = 19595 * image.pixels[at] + 38470 * image.pixels[at + 1] + 7471 * image.pixels[at + 2];
      result.pixels.push_back(static_cast<std::uint8_t>((sum + 32768) >> 16));
    }
  }
  return result;
}

DecodedImage resized_to(DecodedImage image, std::int64_t height, std::int64_t width) {
  check(image);
  require(height >= 1 && width >= 1, "an image cannot have the size ", height, 'x', width, ": both must be 1 or more");
  if (width != image.shape[2]) {
    image.pixels = resize_axis(image.pixels, image.shape[2], static_cast<std::size_t>(image.shape[0]), width);
    image.shape[2] = width;
  }
  if (height != image.shape[1]) {
    const auto row_bytes = static_cast<std::size_t>(image.shape[2] * image.shape[0]);
    image.pixels = resize_axis(image.pixels, image.shape[1], row_bytes, height);
    image.shape[1] = height;
  }
  return image;
}

}  // namespace minception
