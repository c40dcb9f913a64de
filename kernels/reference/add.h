#pragma once
/// y = a + scale*b, then ReLU if `relu`;  da = dy,  db = scale*dy.

#include "kernels/reference/image.h"

namespace minception::reference {

template <class T>
void add_forward(const AddForward& op) {
  const Image<const T> a(op.a), b(op.b);
  const Image<T> y(op.y);
  for (std::int64_t pixel = 0; pixel < a.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < a.c; ++c) {
      const double sum = static_cast<double>(a.pixel(pixel)[c]) + op.scale * static_cast<double>(b.pixel(pixel)[c]);
      y.pixel(pixel)[c] = static_cast<T>(op.relu ? relu(sum) : sum);
    }
  }
}

template <class T>
void add_backward(const AddBackward& op) {
  const Image<const T> dy(op.dy);
  const GradWriter<T> da(op.da), db(op.db);
  for (std::int64_t pixel = 0; pixel < dy.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < dy.c; ++c) {
      const auto gradient = static_cast<double>(dy.pixel(pixel)[c]);  // read first: da may be dy
      da.write(pixel, c, gradient);
      db.write(pixel, c, op.scale * gradient);
    }
  }
}

}  // namespace minception::reference
