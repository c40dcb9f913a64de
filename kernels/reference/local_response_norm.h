#pragma once
/// y[c] = x[c] * d[c]^-beta,   d[c] = k + alpha / size * sum of x[j]^2 over the window of c,
/// dx[c] = dy[c] * d[c]^-beta - 2*alpha*beta/size * x[c] * sum of dy[j] * x[j] * d[j]^(-beta-1) over the channels j
/// whose window contains c.  The window of c contains the existing channels from c - floor(size/2) to
/// c + floor((size-1)/2).

#include "kernels/reference/image.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace minception::reference {

/// Computes d for every channel of one pixel.
template <class T>
void response_norms(const LocalResponseNormAttributes& a, const T* x, std::vector<double>& d) {
  const auto channels = static_cast<std::int64_t>(d.size());
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t begin = std::max<std::int64_t>(c - a.size / 2, 0);
    const std::int64_t end = std::min(c + (a.size - 1) / 2 + 1, channels);
    d[static_cast<std::size_t>(c)] =
        a.k + a.alpha / static_cast<double>(a.size) * dot(x + begin, x + begin, end - begin);
  }
}

template <class T>
void local_response_norm_forward(const LocalResponseNormForward& op) {
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  std::vector<double> d(static_cast<std::size_t>(x.c));
  for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
    response_norms(op.attributes, x.pixel(pixel), d);
    for (std::int64_t c = 0; c < x.c; ++c) {
      const double factor = std::pow(d[static_cast<std::size_t>(c)], -op.attributes.beta);
      y.pixel(pixel)[c] = static_cast<T>(static_cast<double>(x.pixel(pixel)[c]) * factor);
    }
  }
}

template <class T>
void local_response_norm_backward(const LocalResponseNormBackward& op) {
  const auto& [size, alpha, beta, k] = op.attributes;
  const Image<const T> x(op.x), dy(op.dy);
  const GradWriter<T> target(op.target);
  std::vector<double> d(static_cast<std::size_t>(x.c)), gradients(d.size());
  for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
    response_norms(op.attributes, x.pixel(pixel), d);
    for (std::int64_t c = 0; c < x.c; ++c) {
      // Channels whose windows contain c: the mirrored window.
      const std::int64_t begin = std::max<std::int64_t>(c - (size - 1) / 2, 0);
      const std::int64_t end = std::min(c + size / 2 + 1, x.c);
      double sum = 0.0;
      for (std::int64_t j = begin; j < end; ++j) {
        sum += static_cast<double>(dy.pixel(pixel)[j]) * static_cast<double>(x.pixel(pixel)[j]) *
               std::pow(d[static_cast<std::size_t>(j)], -beta - 1.0);
      }
      gradients[static_cast<std::size_t>(c)] =
          static_cast<double>(dy.pixel(pixel)[c]) * std::pow(d[static_cast<std::size_t>(c)], -beta) -
          2.0 * alpha * beta / static_cast<double>(size) * static_cast<double>(x.pixel(pixel)[c]) * sum;
    }
    target.write(pixel, gradients.data());
  }
}

}  // namespace minception::reference
