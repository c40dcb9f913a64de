#pragma once
/// y = x in the dtype of y, rounded once.

#include <minception/kernels/reference/image.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace minception::reference {

/// Any tensor as an image: what is none is one pixel of all its elements.
inline Tensor as_image(const Tensor& tensor) {
  return tensor.is_image() ? tensor : tensor.reshaped({1, tensor.elements()});
}

/// `value` rounded to nearest even. From double to bf16 by way of a float that is rounded to odd, towards zero and with
/// the last bit set where bits were lost: rounded to nearest even there already, a value could become a tie that it is
/// not.
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

template <class From, class To>
void cast(const Cast& op) {
  const Image<const From> x(as_image(op.x));
  const Image<To> y(as_image(op.y));
  for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < x.c; ++c) y.pixel(pixel)[c] = rounded<To>(x.pixel(pixel)[c]);
  }
}

}  // namespace minception::reference
