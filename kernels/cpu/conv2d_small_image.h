#pragma once
/// Filter positions inside the image, and their fraction. See conv2d_small_image.cpp.

#include "core/tensor.h"
#include "kernels/operations.h"

#include <algorithm>
#include <cstdint>

namespace minception::cpu {

/// Filter positions [begin, end) along one axis that are inside the image for one output position.
struct FilterRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t pixel = 0;  ///< the input index at filter position `begin`

  FilterRange(std::int64_t position, std::int64_t extent, std::int64_t kernel, std::int64_t stride,
              std::int64_t padding) {
    const std::int64_t origin = position * stride - padding;
    begin = std::min(std::max<std::int64_t>(0, -origin), kernel);
    end = std::max(begin, std::min(kernel, extent - origin));
    pixel = origin + begin;
  }
};

/// Fraction of the multiply-accumulates that read a pixel rather than padding.
inline double live_fraction(const Conv2dAttributes& attributes, const Tensor& x, const Tensor& w, const Tensor& y) {
  const auto along = [](std::int64_t outputs, std::int64_t extent, std::int64_t kernel, std::int64_t stride,
                        std::int64_t padding) {
    std::int64_t live = 0;
    for (std::int64_t p = 0; p < outputs; ++p) {
      const FilterRange taps(p, extent, kernel, stride, padding);
      live += taps.end - taps.begin;
    }
    return static_cast<double>(live) / static_cast<double>(outputs * kernel);
  };
  return along(y.h(), x.h(), w.shape[2], attributes.stride.h, attributes.padding.h) *
         along(y.w(), x.w(), w.shape[3], attributes.stride.w, attributes.padding.w);
}

}  // namespace minception::cpu
