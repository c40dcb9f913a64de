#pragma once
/// y = x in the dtype of y, rounded once.

#include "kernels/reference/image.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace minception::reference {

/// The tensor as an image: a tensor of a rank other than 2 or 4 becomes one pixel with all its elements.
inline Tensor as_image(const Tensor& tensor) {
  return tensor.is_image() ? tensor : tensor.reshaped({1, tensor.elements()});
}

/// `value` rounded to nearest even. Double to bf16 goes through a float rounded to odd: truncated, with the last bit
/// set if inexact. Rounding to nearest even twice could create a false tie.
template <class To, class From>
To rounded(From value) {
  if constexpr (std::is_same_v<To, bf16> && std::is_same_v<From, double>) {
    auto nearest = static_cast<float>(value);
    if (!std::isnan(value) && static_cast<double>(nearest) != value) {
      auto bits = std::bit_cast<std::uint32_t>(nearest);
      if (std::abs(static_cast<double>(nearest)) > std::abs(value)) --bits;
      nearest = std::bit_cast<float>(bits | 1u);
    }
    return bf16(nearest);
  } else {
    return static_cast<To>(value);
  }
}

/// Calls f<T>() with the type of a floating tensor.
template <class F>
void in_floating_dtype_of(const Tensor& tensor, F&& f) {
  switch (tensor.dtype) {
    case DType::f64:
      return f.template operator()<double>();
    case DType::bf16:
      return f.template operator()<bf16>();
    default:
      return f.template operator()<float>();
  }
}

template <class = void>
void cast(const Cast& op) {
  in_floating_dtype_of(op.x, [&]<class From>() {
    in_floating_dtype_of(op.y, [&]<class To>() {
      const Image<const From> x(as_image(op.x));
      const Image<To> y(as_image(op.y));
      for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
        for (std::int64_t c = 0; c < x.c; ++c) y.pixel(pixel)[c] = rounded<To>(x.pixel(pixel)[c]);
      }
    });
  });
}

}  // namespace minception::reference
