#pragma once
/// y = value.

#include "kernels/reference/cast.h"

#include <algorithm>

namespace minception::reference {

template <class = void>
void fill(const Fill& op) {
  in_floating_dtype_of(op.y, [&]<class T>() {
    const Image<T> y(as_image(op.y));
    for (std::int64_t pixel = 0; pixel < y.pixels(); ++pixel) {
      std::fill_n(y.pixel(pixel), y.c, rounded<T>(op.value));
    }
  });
}

}  // namespace minception::reference
