#pragma once
/// y = x * mask / (1 - p);  dx = dy * mask / (1 - p). Element e of the sample at position s of the epoch is kept if
/// Random{seed, stream << 32 | epoch}.uniform(s * E + e) >= p, with E elements per sample.

#include "core/random.h"
#include "kernels/reference/image.h"

namespace minception::reference {

/// Calls visit(pixel, channel, factor) for every element, with factor = mask / (1 - p).
template <class Visit>
void for_each_kept(const DropoutAttributes& attributes, const Tensor& position, const Tensor& x, Visit&& visit) {
  const auto epoch = static_cast<std::uint64_t>(position.as<const std::int64_t>()[0]);
  const auto first_sample = static_cast<std::uint64_t>(position.as<const std::int64_t>()[1]);
  const Random random{attributes.seed, std::uint64_t{attributes.stream} << 32 | epoch};
  // Elements are numbered in (n, h, w, c) order, without gaps between samples.
  const auto sample_elements = static_cast<std::uint64_t>(x.c() * x.h() * x.w());
  std::uint64_t index = first_sample * sample_elements;
  for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < x.c(); ++c, ++index) {
      const bool kept = static_cast<double>(random.uniform(index)) >= attributes.p;
      visit(pixel, c, kept ? 1.0 / (1.0 - attributes.p) : 0.0);
    }
  }
}

template <class T>
void dropout_forward(const DropoutForward& op) {
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  for_each_kept(op.attributes, op.position, op.x, [&](std::int64_t pixel, std::int64_t c, double factor) {
    const auto value = static_cast<double>(x.pixel(pixel)[c]);
    y.pixel(pixel)[c] = static_cast<T>(value * factor);
  });
}

template <class T>
void dropout_backward(const DropoutBackward& op) {
  const Image<const T> dy(op.dy);
  const GradWriter<T> target(op.target);
  for_each_kept(op.attributes, op.position, op.dy, [&](std::int64_t pixel, std::int64_t c, double factor) {
    const auto gradient = static_cast<double>(dy.pixel(pixel)[c]);
    target.write(pixel, c, gradient * factor);
  });
}

}  // namespace minception::reference
