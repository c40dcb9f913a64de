#pragma once
/// y[n,o,p,q] = bias[o] + sum_{i,r,s} w[o,i,r,s] * x[n, i, p*stride.h + r - padding.h, q*stride.w + s - padding.w]
///
/// Filter positions outside the image are skipped, so an infinite weight on padding does not give NaN (0 * infinity).
/// Backward visits the same products and adds dy times one factor to the gradient of the other.

#include "kernels/reference/image.h"

#include <vector>

namespace minception::reference {

/// Calls visit(output pixel, input pixel, filter_index) for every output pixel of image n and every filter position
/// inside the input. Pixels are numbered over all images; filter_index = r * KW + s.
template <class Visit>
void for_each_filter_position(const Conv2dAttributes& attributes, const Tensor& x, const Tensor& w, const Tensor& y,
                              std::int64_t n, Visit&& visit) {
  for (std::int64_t p = 0; p < y.h(); ++p) {
    for (std::int64_t q = 0; q < y.w(); ++q) {
      for (std::int64_t r = 0; r < w.h(); ++r) {
        const std::int64_t row = p * attributes.stride.h + r - attributes.padding.h;
        if (row < 0 || row >= x.h()) continue;
        for (std::int64_t s = 0; s < w.w(); ++s) {
          const std::int64_t column = q * attributes.stride.w + s - attributes.padding.w;
          if (column < 0 || column >= x.w()) continue;
          visit((n * y.h() + p) * y.w() + q, (n * x.h() + row) * x.w() + column, r * w.w() + s);
        }
      }
    }
  }
}

template <class T>
void conv2d_forward(const Conv2dForward& op) {
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  const T* w = op.w.as<const T>();
  const T* bias = op.bias.defined() ? op.bias.as<const T>() : nullptr;
  const std::int64_t filter_size = op.w.h() * op.w.w();
#pragma omp parallel for if (worth_threads(op))
  for (std::int64_t n = 0; n < y.n; ++n) {
    std::vector<double> sums(static_cast<std::size_t>(y.h * y.w * y.c));
    double* const image = sums.data();
    const std::int64_t first_pixel = y.index(n, 0, 0);
    for_each_filter_position(
        op.attributes, op.x, op.w, op.y, n, [&](std::int64_t out, std::int64_t in, std::int64_t filter_index) {
          for (std::int64_t o = 0; o < y.c; ++o) {
            image[(out - first_pixel) * y.c + o] += dot(w + (o * filter_size + filter_index) * x.c, x.pixel(in), x.c);
          }
        });
    for (std::int64_t pixel = 0; pixel < y.h * y.w; ++pixel) {
      for (std::int64_t o = 0; o < y.c; ++o) {
        const double value = image[pixel * y.c + o] + (bias != nullptr ? static_cast<double>(bias[o]) : 0.0);
        y.pixel(first_pixel + pixel)[o] = static_cast<T>(op.attributes.relu ? relu(value) : value);
      }
    }
  }
}

template <class T>
void conv2d_backward_data(const Conv2dBackwardData& op) {
  const Tensor& dx = op.target.dx;
  const Image<const T> dy(op.dy);
  const T* w = op.w.as<const T>();
  const GradWriter<T> target(op.target);
  const std::int64_t filter_size = op.w.h() * op.w.w();
  const std::int64_t pixels = dx.h() * dx.w();
  const std::int64_t channels = dx.c();
#pragma omp parallel for if (worth_threads(op))
  for (std::int64_t n = 0; n < dy.n; ++n) {
    std::vector<double> sums(static_cast<std::size_t>(pixels * channels));
    for_each_filter_position(op.attributes, dx, op.w, op.dy, n,
                             [&](std::int64_t out, std::int64_t in, std::int64_t filter_index) {
                               double* const sum = sums.data() + (in - n * pixels) * channels;
                               for (std::int64_t o = 0; o < dy.c; ++o) {
                                 add_scaled(sum, static_cast<double>(dy.pixel(out)[o]),
                                            w + (o * filter_size + filter_index) * channels, channels);
                               }
                             });
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      target.write(n * pixels + pixel, sums.data() + pixel * channels);
    }
  }
}

template <class T>
void conv2d_backward_weights(const Conv2dBackwardWeights& op) {
  const Image<const T> x(op.x), dy(op.dy);
  T* const dw = op.dw.as<T>();
  T* const dbias = op.dbias.defined() ? op.dbias.as<T>() : nullptr;
  const std::int64_t filter = op.dw.h() * op.dw.w() * x.c;
  // Threads split the filters, so every sum keeps its order.
#pragma omp parallel for if (worth_threads(op))
  for (std::int64_t o = 0; o < dy.c; ++o) {
    std::vector<double> sums(static_cast<std::size_t>(filter));
    double bias_sum = 0.0;
    for (std::int64_t n = 0; n < x.n; ++n) {
      for_each_filter_position(
          op.attributes, op.x, op.dw, op.dy, n, [&](std::int64_t out, std::int64_t in, std::int64_t filter_index) {
            add_scaled(sums.data() + filter_index * x.c, static_cast<double>(dy.pixel(out)[o]), x.pixel(in), x.c);
          });
    }
    for (std::int64_t pixel = 0; pixel < dy.pixels(); ++pixel) bias_sum += static_cast<double>(dy.pixel(pixel)[o]);

    T* const gradient = dw + o * filter;
    for (std::int64_t i = 0; i < filter; ++i) {
      const double before = op.accumulate ? static_cast<double>(gradient[i]) : 0.0;
      gradient[i] = static_cast<T>(before + sums[static_cast<std::size_t>(i)]);
    }
    if (dbias != nullptr) {
      const double before = op.accumulate ? static_cast<double>(dbias[o]) : 0.0;
      dbias[o] = static_cast<T>(before + bias_sum);
    }
  }
}

}  // namespace minception::reference
