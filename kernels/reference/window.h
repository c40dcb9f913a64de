#pragma once
/// Average pooling, shared by the three average pools. A pool is defined by a table of windows along each axis.

#include "kernels/reference/image.h"

#include <vector>

namespace minception::reference {

/// Window of one output index along one axis: input indices begin .. end - 1, and their count in the divisor.
struct Window {
  std::int64_t begin, end, count;
};
using Windows = std::vector<Window>;  ///< one per output index

/// y[n,c,p,q] = sum over rows[p] x columns[q] / (rows[p].count * columns[q].count)
template <class T>
void average_forward(const Tensor& x_tensor, const Tensor& y_tensor, const Windows& rows, const Windows& columns) {
  const Image<const T> x(x_tensor);
  const Image<T> y(y_tensor);
  std::vector<double> sums(static_cast<std::size_t>(y.c));
  for (std::int64_t n = 0; n < y.n; ++n) {
    for (std::int64_t p = 0; p < y.h; ++p) {
      for (std::int64_t q = 0; q < y.w; ++q) {
        const Window row = rows[static_cast<std::size_t>(p)];
        const Window column = columns[static_cast<std::size_t>(q)];
        sums.assign(sums.size(), 0.0);
        for (std::int64_t h = row.begin; h < row.end; ++h) {
          for (std::int64_t w = column.begin; w < column.end; ++w) {
            add_scaled(sums.data(), 1.0, x.pixel(n, h, w), y.c);
          }
        }
        const auto divisor = static_cast<double>(row.count * column.count);
        for (std::int64_t c = 0; c < y.c; ++c) {
          y.pixel(n, p, q)[c] = static_cast<T>(sums[static_cast<std::size_t>(c)] / divisor);
        }
      }
    }
  }
}

/// dx[n,c,h,w] = sum of dy[n,c,p,q] / divisor(p,q) over the windows that contain (h, w)
template <class T>
void average_backward(const Tensor& dy_tensor, const GradTarget& grad_target, const Windows& rows,
                      const Windows& columns) {
  const Tensor& dx = grad_target.dx;
  const Image<const T> dy(dy_tensor);
  const GradWriter<T> target(grad_target);
  const std::int64_t pixels = dx.h() * dx.w();
  for (std::int64_t n = 0; n < dy.n; ++n) {
    std::vector<double> sums(static_cast<std::size_t>(pixels * dy.c));
    for (std::int64_t p = 0; p < dy.h; ++p) {
      for (std::int64_t q = 0; q < dy.w; ++q) {
        const Window row = rows[static_cast<std::size_t>(p)];
        const Window column = columns[static_cast<std::size_t>(q)];
        const auto divisor = static_cast<double>(row.count * column.count);
        for (std::int64_t h = row.begin; h < row.end; ++h) {
          for (std::int64_t w = column.begin; w < column.end; ++w) {
            add_scaled(sums.data() + (h * dx.w() + w) * dy.c, 1.0 / divisor, dy.pixel(n, p, q), dy.c);
          }
        }
      }
    }
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      target.write(n * pixels + pixel, sums.data() + pixel * dy.c);
    }
  }
}

}  // namespace minception::reference
