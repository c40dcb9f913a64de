/// Resizing to another aspect ratio, and blending over a background.

#include "data/image_formats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

namespace minception {
namespace {

/// Pixels [top, top + height) x [left, left + width).
DecodedImage cropped(const DecodedImage& image, std::int64_t top, std::int64_t left, std::int64_t height,
                     std::int64_t width) {
  const std::int64_t channels = image.shape[0], row = image.shape[2] * channels;
  DecodedImage result{Shape{channels, height, width}, {}};
  result.pixels.reserve(static_cast<std::size_t>(result.shape.elements()));
  for (std::int64_t y = top; y < top + height; ++y) {
    const auto first = image.pixels.begin() + y * row + left * channels;
    result.pixels.insert(result.pixels.end(), first, first + width * channels);
  }
  return result;
}

/// extent * numerator / denominator, rounded and clamped to [1, most].
std::int64_t scaled(std::int64_t extent, std::int64_t numerator, std::int64_t denominator, std::int64_t most) {
  const double exact = static_cast<double>(extent) * static_cast<double>(numerator) / static_cast<double>(denominator);
  return std::clamp<std::int64_t>(std::llround(exact), 1, most);
}

/// Centres the image in a larger one filled with the background.
DecodedImage bordered(const DecodedImage& image, std::int64_t height, std::int64_t width, const ImageOptions& options) {
  const std::int64_t channels = image.shape[0];
  const std::int64_t top = (height - image.shape[1]) / 2, left = (width - image.shape[2]) / 2;
  DecodedImage result{Shape{channels, height, width}, {}};
  result.pixels.resize(static_cast<std::size_t>(result.shape.elements()));
  const std::array<std::uint8_t, 3> background = background_of(options, channels);
  for (std::size_t at = 0; at < result.pixels.size(); ++at) {
    result.pixels[at] = background[at % static_cast<std::size_t>(channels)];
  }
  const std::int64_t row = image.shape[2] * channels;
  for (std::int64_t y = 0; y < image.shape[1]; ++y) {
    std::copy_n(image.pixels.begin() + y * row, row, result.pixels.begin() + ((top + y) * width + left) * channels);
  }
  return result;
}

}  // namespace

Resize parse_resize(const std::string& name) {
  const auto found = std::find(std::begin(kResizeNames), std::end(kResizeNames), name);
  require(found != std::end(kResizeNames), "'", name, "' is not a resize mode: use stretch, crop or letterbox");
  return static_cast<Resize>(found - std::begin(kResizeNames));
}

DecodedImage fitted_to(DecodedImage image, std::int64_t height, std::int64_t width, const ImageOptions& options) {
  const std::int64_t h = image.shape[1], w = image.shape[2];
  if (options.resize == Resize::stretch || h * width == w * height || height < 1 || width < 1) {
    return resized_to(std::move(image), height, width);
  }
  const bool wide = w * height > h * width;  // wider than the target's aspect ratio
  if (options.resize == Resize::crop) {
    const std::int64_t kept_h = wide ? h : scaled(w, height, width, h), kept_w = wide ? scaled(h, width, height, w) : w;
    return resized_to(cropped(image, (h - kept_h) / 2, (w - kept_w) / 2, kept_h, kept_w), height, width);
  }
  const std::int64_t inner_h = wide ? scaled(width, h, w, height) : height;
  const std::int64_t inner_w = wide ? width : scaled(height, w, h, width);
  if (has_coloured_background(options)) image = with_channels(std::move(image), 3);
  return bordered(resized_to(std::move(image), inner_h, inner_w), height, width, options);
}

int reduction_for(std::int64_t height, std::int64_t width, const Decoding& how) {
  if (how.height < 1 || how.width < 1) return 1;
  // Source pixels per result pixel, per axis.
  double y = static_cast<double>(height) / static_cast<double>(how.height);
  double x = static_cast<double>(width) / static_cast<double>(how.width);
  if (how.options.resize == Resize::crop) y = x = std::min(x, y);
  if (how.options.resize == Resize::letterbox) y = x = std::max(x, y);
  int reduction = 8;
  while (reduction > 1 && std::min(x, y) < 2.0 * reduction) reduction /= 2;
  return reduction;
}

std::array<std::uint8_t, 3> background_of(const ImageOptions& options, std::int64_t channels) {
  if (channels == 3) return options.background;
  const auto& [r, g, b] = options.background;
  return {with_channels({Shape{3, 1, 1}, {r, g, b}}, 1).pixels[0]};
}

DecodedImage over_background(const std::string& name, const Shape& shape, std::span<const std::uint8_t> pixels,
                             const ImageOptions& options) {
  const std::int64_t from = shape[0], to = has_coloured_background(options) ? 3 : from;
  DecodedImage image = blank_image(name, to, shape[1], shape[2]);
  const std::array<std::uint8_t, 3> background = background_of(options, to);
  const std::uint8_t* source = pixels.data();
  for (std::size_t at = 0; at < image.pixels.size(); at += static_cast<std::size_t>(to), source += from + 1) {
    const int opacity = source[from];
    for (std::int64_t c = 0; c < to; ++c) {
      const int sum = source[from == 1 ? 0 : c] * opacity + background[static_cast<std::size_t>(c)] * (255 - opacity);
      image.pixels[at + static_cast<std::size_t>(c)] = static_cast<std::uint8_t>((sum + 127) / 255);
    }
  }
  return image;
}

}  // namespace minception
