#pragma once
/// y = max(0, x);  dx = dy * (y > 0). Comparisons with NaN are false: forward propagates NaN, backward masks it.

#include "kernels/reference/image.h"

namespace minception::reference {

template <class T>
void relu_forward(const ReluForward& op) {
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < x.c; ++c) {
      y.pixel(pixel)[c] = static_cast<T>(relu(static_cast<double>(x.pixel(pixel)[c])));
    }
  }
}

template <class T>
void relu_backward(const ReluBackward& op) {
  const Image<const T> y(op.y), dy(op.dy);
  const GradWriter<T> target(op.target);
  for (std::int64_t pixel = 0; pixel < y.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < y.c; ++c) {
      const bool passes = y.pixel(pixel)[c] > T(0);
      target.write(pixel, c, passes ? static_cast<double>(dy.pixel(pixel)[c]) : 0.0);
    }
  }
}

}  // namespace minception::reference
