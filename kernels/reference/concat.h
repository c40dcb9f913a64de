#pragma once
/// y[n, C_0 + ... + C_{j-1} + c, h, w] = x[j][n,c,h,w];  dx[j] = the same channels of dy.

#include "kernels/reference/image.h"

namespace minception::reference {

template <class T>
void concat_forward(const ConcatForward& op) {
  const Image<T> y(op.y);
  std::int64_t first_channel = 0;
  for (const Tensor& part : op.x) {
    const Image<const T> x(part);
    for (std::int64_t pixel = 0; pixel < y.pixels(); ++pixel) {
      for (std::int64_t c = 0; c < x.c; ++c) y.pixel(pixel)[first_channel + c] = x.pixel(pixel)[c];
    }
    first_channel += x.c;
  }
}

template <class T>
void split(const Split& op) {
  const Image<const T> dy(op.dy);
  std::int64_t first_channel = 0;
  for (const GradTarget& part : op.targets) {
    const GradWriter<T> target(part);
    for (std::int64_t pixel = 0; pixel < dy.pixels(); ++pixel) {
      for (std::int64_t c = 0; c < part.dx.c(); ++c) {
        target.write(pixel, c, static_cast<double>(dy.pixel(pixel)[first_channel + c]));
      }
    }
    first_channel += part.dx.c();
  }
}

}  // namespace minception::reference
