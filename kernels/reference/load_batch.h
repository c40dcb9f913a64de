#pragma once
/// y[n, c] = colour(augment(resize(crop(images[indices[n]]))))[c] * scale[c] + shift[c],
/// y_labels[n] = labels[indices[n]].
///
/// Along each axis, output pixel i interpolates the two neighbours of (i + 0.5) * h / H - 0.5, clamped to the cropped
/// image. The resized image is evaluated only at the source positions of the augmented pixels.

#include "kernels/reference/image.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace minception::reference {

/// The two input indices that an output index interpolates, and the weight of the second.
struct BilinearSample {
  std::int64_t first, second;
  double fraction;
};

inline BilinearSample bilinear_sample(std::int64_t out_index, std::int64_t in, std::int64_t out) {
  const double centre =
      (static_cast<double>(out_index) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
  const double position = std::clamp(centre, 0.0, static_cast<double>(in - 1));
  const auto first = static_cast<std::int64_t>(std::floor(position));
  return {first, std::min(first + 1, in - 1), position - static_cast<double>(first)};
}

template <class T>
void load_batch(const LoadBatch& op) {
  const Image<const std::uint8_t> images(op.images);
  const Image<T> y(op.y);
  const auto per_channel = [](const std::vector<float>& factors, std::int64_t c) {
    return static_cast<double>(factors.size() == 1 ? factors[0] : factors[static_cast<std::size_t>(c)]);
  };
  // Channel c of pixel (i, j) of the resized crop `part` of a sample; 0 outside.
  const auto resized = [&](std::int64_t sample, const Box& part, std::int64_t c, std::int64_t i, std::int64_t j) {
    if (i < 0 || i >= y.h || j < 0 || j >= y.w) return 0.0;
    const BilinearSample row = bilinear_sample(i, part.height, y.h);
    const BilinearSample column = bilinear_sample(j, part.width, y.w);
    const auto pixel = [&](std::int64_t r, std::int64_t s) {
      return static_cast<double>(images.pixel(sample, part.top + r, part.left + s)[c]);
    };
    const double above =
        pixel(row.first, column.first) * (1.0 - column.fraction) + pixel(row.first, column.second) * column.fraction;
    const double below =
        pixel(row.second, column.first) * (1.0 - column.fraction) + pixel(row.second, column.second) * column.fraction;
    return above * (1.0 - row.fraction) + below * row.fraction;
  };
  const auto* position = op.position.defined() ? op.position.as<const std::int64_t>() : nullptr;
  for (std::int64_t n = 0; n < y.n; ++n) {
    const std::int64_t sample = op.indices.as<const std::int32_t>()[n];
    require(sample >= 0 && sample < images.n, "load_batch: index ", sample, " of sample ", n, " is not in [0, ",
            images.n, ")");
    op.y_labels.as<std::int32_t>()[n] = op.labels.as<const std::int32_t>()[sample];
    const auto [moved, part, colour] =
        op.augmentation.draw(position, n, static_cast<int>(images.h), static_cast<int>(images.w));
    for (std::int64_t h = 0; h < y.h; ++h) {
      for (std::int64_t w = 0; w < y.w; ++w) {
        const int row = moved.row(static_cast<int>(h));
        const int column = moved.column(static_cast<int>(w), static_cast<int>(y.w));
        double grey = 0.0;
        if (colour.saturation != 1.0f) {
          grey = ColourJitter::grey(resized(sample, part, 0, row, column), resized(sample, part, 1, row, column),
                                    resized(sample, part, 2, row, column));
        }
        for (std::int64_t c = 0; c < y.c; ++c) {
          double value = resized(sample, part, c, row, column);
          if (colour.changes()) value = colour.of(value, grey);
          y.pixel(n, h, w)[c] = static_cast<T>(value * per_channel(op.scale, c) + per_channel(op.shift, c));
        }
      }
    }
  }
}

}  // namespace minception::reference
