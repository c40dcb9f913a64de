#pragma once
/// y[n, (c*H + h)*W + w] = x[n,c,h,w]: from channels-last memory to the order of PyTorch's Flatten.

#include "kernels/reference/image.h"

namespace minception::reference {

template <class T>
void flatten_forward(const FlattenForward& op) {
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  for (std::int64_t n = 0; n < x.n; ++n) {
    for (std::int64_t h = 0; h < x.h; ++h) {
      for (std::int64_t w = 0; w < x.w; ++w) {
        for (std::int64_t c = 0; c < x.c; ++c) y.pixel(n)[(c * x.h + h) * x.w + w] = x.pixel(n, h, w)[c];
      }
    }
  }
}

template <class T>
void flatten_backward(const FlattenBackward& op) {
  const Image<const T> dy(op.dy);
  const Image<T> dx(op.target.dx);
  const GradWriter<T> target(op.target);
  for (std::int64_t n = 0; n < dx.n; ++n) {
    for (std::int64_t h = 0; h < dx.h; ++h) {
      for (std::int64_t w = 0; w < dx.w; ++w) {
        for (std::int64_t c = 0; c < dx.c; ++c) {
          target.write(dx.index(n, h, w), c, static_cast<double>(dy.pixel(n)[(c * dx.h + h) * dx.w + w]));
        }
      }
    }
  }
}

}  // namespace minception::reference
