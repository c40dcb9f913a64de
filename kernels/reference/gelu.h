#pragma once
/// y = x * P(x);  dx = dy * (P(x) + x * p(x)).  P and p: distribution function and density of the standard normal.

#include "kernels/reference/image.h"

#include <cmath>
#include <numbers>

namespace minception::reference {

template <class T>
void gelu_forward(const GeluForward& op) {
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < x.c; ++c) {
      const auto value = static_cast<double>(x.pixel(pixel)[c]);
      y.pixel(pixel)[c] = static_cast<T>(value * 0.5 * std::erfc(-value / std::numbers::sqrt2));
    }
  }
}

template <class T>
void gelu_backward(const GeluBackward& op) {
  const Image<const T> x(op.x), dy(op.dy);
  const GradWriter<T> target(op.target);
  for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < x.c; ++c) {
      const auto value = static_cast<double>(x.pixel(pixel)[c]);
      const double distribution = 0.5 * std::erfc(-value / std::numbers::sqrt2);
      const double density = std::exp(-0.5 * value * value) / std::sqrt(2.0 * std::numbers::pi);
      target.write(pixel, c, static_cast<double>(dy.pixel(pixel)[c]) * (distribution + value * density));
    }
  }
}

}  // namespace minception::reference
