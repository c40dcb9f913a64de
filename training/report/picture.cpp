#include "training/report/picture.h"
#include "models/weights.h"
#include "training/evaluation_record.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace minception::report {
namespace {

using Colour = std::array<double, 3>;

constexpr double kHeat = 0.62;  // weight of the heat over the image

/// From black over violet and orange to pale yellow, with rising lightness, so that it also reads in grey.
Colour heat_colour(double value) {
  constexpr Colour kStops[] = {{4, 2, 18}, {76, 18, 120}, {178, 52, 118}, {248, 132, 92}, {252, 248, 186}};
  const double position = std::clamp(value, 0.0, 1.0) * (std::size(kStops) - 1);
  const auto i = std::min(static_cast<std::size_t>(position), std::size(kStops) - 2);
  const double part = position - static_cast<double>(i);
  Colour colour;
  for (std::size_t c = 0; c < 3; ++c) colour[c] = (1.0 - part) * kStops[i][c] + part * kStops[i + 1][c];
  return colour;
}

std::uint8_t to_byte(double value) { return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0))); }

/// Value at a fraction of the map, between pixel centres linearly.
double sample(std::span<const float> map, std::int64_t height, std::int64_t width, double y, double x) {
  const auto clamped = [](double position, std::int64_t size) {
    return std::clamp(position * static_cast<double>(size) - 0.5, 0.0, static_cast<double>(size - 1));
  };
  const double row = clamped(y, height), column = clamped(x, width);
  const auto p = static_cast<std::int64_t>(row), q = static_cast<std::int64_t>(column);
  const auto at = [&](std::int64_t i, std::int64_t j) {
    return static_cast<double>(map[static_cast<std::size_t>(std::min(i, height - 1) * width + std::min(j, width - 1))]);
  };
  const double down = row - static_cast<double>(p), right = column - static_cast<double>(q);
  return (1.0 - down) * ((1.0 - right) * at(p, q) + right * at(p, q + 1)) +
         down * ((1.0 - right) * at(p + 1, q) + right * at(p + 1, q + 1));
}

/// Tiles of one size, row by row, with gaps.
class Grid {
 public:
  Grid(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t scale, std::int64_t columns)
      : height_(height * scale), width_(width * scale), scale_(scale) {
    columns_ = std::clamp<std::int64_t>(columns > 0 ? columns : (kWidth + kGap) / (width_ + kGap), 1, count);
    const std::int64_t rows = (count + columns_ - 1) / columns_;
    columns_ = (count + rows - 1) / rows;  // fills the last row
    picture_.shape = {3, rows * (height_ + kGap) - kGap, columns_ * (width_ + kGap) - kGap};
    picture_.pixels.assign(static_cast<std::size_t>(picture_.shape.elements()), 255);
  }
  /// Fills pixel (y, x) of a tile, before the enlargement.
  void set(std::int64_t tile, std::int64_t y, std::int64_t x, const Colour& colour) {
    const std::int64_t top = tile / columns_ * (height_ + kGap) + y * scale_;
    const std::int64_t left = tile % columns_ * (width_ + kGap) + x * scale_;
    for (std::int64_t i = top; i < top + scale_; ++i) {
      for (std::int64_t j = left; j < left + scale_; ++j) {
        for (std::size_t c = 0; c < 3; ++c) {
          picture_.pixels[static_cast<std::size_t>(i * picture_.shape[2] + j) * 3 + c] = to_byte(colour[c]);
        }
      }
    }
  }
  DecodedImage take() { return std::move(picture_); }

 private:
  static constexpr std::int64_t kWidth = 1140, kGap = 3;
  std::int64_t height_, width_, scale_, columns_ = 1;
  DecodedImage picture_;
};

}  // namespace

DecodedImage enlarged(const DecodedImage& image, std::int64_t side) {
  const std::int64_t height = image.shape[1], width = image.shape[2], channels = image.shape[0];
  const std::int64_t scale = std::max<std::int64_t>(1, side / std::max(height, width));
  DecodedImage result{{channels, height * scale, width * scale}, {}};
  result.pixels.reserve(static_cast<std::size_t>(result.shape.elements()));
  for (std::int64_t y = 0; y < height * scale; ++y) {
    for (std::int64_t x = 0; x < width * scale; ++x) {
      const auto pixel = image.pixels.begin() + (y / scale * width + x / scale) * channels;
      result.pixels.insert(result.pixels.end(), pixel, pixel + channels);
    }
  }
  return result;
}

DecodedImage heat_map(const DecodedImage& image, std::span<const float> map, std::int64_t height, std::int64_t width,
                      float largest, std::int64_t side) {
  DecodedImage result = enlarged(with_channels(image, 3), side);
  const std::int64_t rows = result.shape[1], columns = result.shape[2];
  for (std::int64_t y = 0; y < rows; ++y) {
    for (std::int64_t x = 0; x < columns; ++x) {
      const double value = sample(map, height, width, (static_cast<double>(y) + 0.5) / static_cast<double>(rows),
                                  (static_cast<double>(x) + 0.5) / static_cast<double>(columns));
      const double share = largest > 0.0f ? std::clamp(value / static_cast<double>(largest), 0.0, 1.0) : 0.0;
      std::uint8_t* pixel = &result.pixels[static_cast<std::size_t>(y * columns + x) * 3];
      const double light = (0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]) / 255.0;
      const Colour colour = heat_colour(share);
      for (std::size_t c = 0; c < 3; ++c) pixel[c] = to_byte(kHeat * colour[c] + (1.0 - kHeat) * 255.0 * light);
    }
  }
  return result;
}

DecodedImage heat(std::span<const float> map, std::int64_t height, std::int64_t width, float largest) {
  DecodedImage result{{3, height, width}, {}};
  for (const float value : map) {
    const Colour colour = heat_colour(largest > 0.0f ? static_cast<double>(value) / static_cast<double>(largest) : 0.0);
    for (const double part : colour) result.pixels.push_back(to_byte(part));
  }
  return result;
}

DecodedImage tiles(const Maps& maps, std::int64_t most, std::int64_t columns) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(maps.count));
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> variances;  // times the number of positions
  for (const std::int64_t i : order) {
    const std::span<const float> map = maps[i];
    const double mean = std::accumulate(map.begin(), map.end(), 0.0) / static_cast<double>(map.size());
    variances.push_back(std::accumulate(map.begin(), map.end(), 0.0, [&](double sum, float value) {
      return sum + (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    }));
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return variances[static_cast<std::size_t>(a)] > variances[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(std::min(most, maps.count)));
  const std::int64_t scale = std::max<std::int64_t>(1, 64 / std::max(maps.height, maps.width));
  Grid grid(static_cast<std::int64_t>(order.size()), maps.height, maps.width, scale, columns);
  for (std::size_t tile = 0; tile < order.size(); ++tile) {
    const std::span<const float> map = maps[order[tile]];
    const auto [low, high] = std::minmax_element(map.begin(), map.end());
    const double range = static_cast<double>(*high) - static_cast<double>(*low);
    for (std::int64_t y = 0; y < maps.height; ++y) {
      for (std::int64_t x = 0; x < maps.width; ++x) {
        const double value = map[static_cast<std::size_t>(y * maps.width + x)];
        grid.set(static_cast<std::int64_t>(tile), y, x,
                 heat_colour(range > 0.0 ? (value - static_cast<double>(*low)) / range : 0.0));
      }
    }
  }
  return grid.take();
}

DecodedImage filters(const FileTensor& weights, std::int64_t most, std::int64_t columns) {
  const std::vector<double> values = to_doubles(weights);
  const std::int64_t count = std::min(most, weights.shape[0]), channels = weights.shape[1];
  const std::int64_t height = weights.shape[2], width = weights.shape[3];
  Grid grid(count, height, width, std::max<std::int64_t>(1, 42 / std::max(height, width)), columns);
  for (std::int64_t k = 0; k < count; ++k) {
    const auto at = [&](std::int64_t c, std::int64_t y, std::int64_t x) {
      return values[static_cast<std::size_t>(((k * channels + c) * height + y) * width + x)];
    };
    const auto shade = [&](std::size_t c, std::int64_t y, std::int64_t x) {
      if (channels == 3) return at(static_cast<std::int64_t>(c), y, x);
      double sum = 0.0;
      for (std::int64_t i = 0; i < channels; ++i) sum += at(i, y, x);
      return sum / static_cast<double>(channels);
    };
    double largest = 0.0;
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::size_t c = 0; c < 3; ++c) largest = std::max(largest, std::abs(shade(c, y, x)));
      }
    }
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        Colour colour;
        for (std::size_t c = 0; c < 3; ++c) {
          colour[c] = 127.5 * (1.0 + (largest > 0.0 ? shade(c, y, x) / largest : 0.0));
        }
        grid.set(k, y, x, colour);
      }
    }
  }
  return grid.take();
}

std::string data_url(const DecodedImage& image) {
  return "data:image/png;base64," + base64(encode_png(image.shape, image.pixels));
}

}  // namespace minception::report
