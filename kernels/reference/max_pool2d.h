#pragma once
/// y[n,c,p,q] = max over the window; argmax is its window index. Backward adds dy to the pixel at that index.

#include "core/error.h"
#include "kernels/reference/image.h"

#include <cmath>
#include <cstdint>
#include <vector>

namespace minception::reference {

template <class T>
void max_pool2d_forward(const MaxPool2dForward& op) {
  const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = op.attributes;
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  std::uint8_t* const argmax = op.argmax.defined() ? op.argmax.as<std::uint8_t>() : nullptr;
  for (std::int64_t n = 0; n < y.n; ++n) {
    for (std::int64_t p = 0; p < y.h; ++p) {
      for (std::int64_t q = 0; q < y.w; ++q) {
        for (std::int64_t c = 0; c < y.c; ++c) {
          T largest = T(0);
          std::int64_t winner = -1;
          for (std::int64_t r = 0; r < kernel.h; ++r) {
            for (std::int64_t s = 0; s < kernel.w; ++s) {
              const std::int64_t row = p * stride.h + r - padding.h;
              const std::int64_t column = q * stride.w + s - padding.w;
              if (row < 0 || row >= x.h || column < 0 || column >= x.w) continue;
              const T value = x.pixel(n, row, column)[c];
              const bool wins = winner < 0 || value > largest || (std::isnan(value) && !std::isnan(largest));
              if (!wins) continue;
              largest = value;
              winner = r * kernel.w + s;
            }
          }
          const std::int64_t pixel = y.index(n, p, q);
          y.pixel(pixel)[c] = largest;
          if (argmax != nullptr) argmax[pixel * y.c + c] = static_cast<std::uint8_t>(winner);
        }
      }
    }
  }
}

template <class T>
void max_pool2d_backward(const MaxPool2dBackward& op) {
  const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = op.attributes;
  const Tensor& dx = op.target.dx;
  const Image<const T> dy(op.dy);
  const std::uint8_t* const argmax = op.argmax.as<const std::uint8_t>();
  const GradWriter<T> target(op.target);
  const std::int64_t pixels = dx.h() * dx.w();
  for (std::int64_t n = 0; n < dy.n; ++n) {
    std::vector<double> sums(static_cast<std::size_t>(pixels * dy.c));
    for (std::int64_t p = 0; p < dy.h; ++p) {
      for (std::int64_t q = 0; q < dy.w; ++q) {
        const std::int64_t pixel = dy.index(n, p, q);
        for (std::int64_t c = 0; c < dy.c; ++c) {
          const std::int64_t winner = argmax[pixel * dy.c + c];
          const std::int64_t row = p * stride.h + winner / kernel.w - padding.h;
          const std::int64_t column = q * stride.w + winner % kernel.w - padding.w;
          require(winner < kernel.h * kernel.w && row >= 0 && row < dx.h() && column >= 0 && column < dx.w(),
                  "max_pool2d_backward: argmax ", winner, " of output pixel (", p, ", ", q, ") is outside its window");
          const std::int64_t place = (row * dx.w() + column) * dy.c + c;
          sums[static_cast<std::size_t>(place)] += static_cast<double>(dy.pixel(pixel)[c]);
        }
      }
    }
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      target.write(n * pixels + pixel, sums.data() + pixel * dy.c);
    }
  }
}

}  // namespace minception::reference
