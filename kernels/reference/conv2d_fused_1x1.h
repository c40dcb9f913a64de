#pragma once
/// y[j] = x * w[rows of j]^T + bias[rows of j], one member j after the other.

#include "kernels/reference/image.h"

#include <vector>

namespace minception::reference {

template <class T>
void conv2d_fused_1x1_forward(const Conv2dFused1x1Forward& op) {
  const Image<const T> x(op.x);
  const T* w = op.w.as<const T>();
  const T* bias = op.bias.defined() ? op.bias.as<const T>() : nullptr;
  std::int64_t first_row = 0;
  for (const Tensor& member : op.y) {
    const Image<T> y(member);
#pragma omp parallel for if (worth_threads(op))
    for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
      for (std::int64_t o = 0; o < y.c; ++o) {
        const std::int64_t row = first_row + o;
        const double value =
            dot(w + row * x.c, x.pixel(pixel), x.c) + (bias != nullptr ? static_cast<double>(bias[row]) : 0.0);
        y.pixel(pixel)[o] = static_cast<T>(op.relu ? relu(value) : value);
      }
    }
    first_row += y.c;
  }
}

template <class T>
void conv2d_fused_1x1_backward_data(const Conv2dFused1x1BackwardData& op) {
  const T* w = op.w.as<const T>();
  const GradWriter<T> target(op.target);
  const std::int64_t channels = op.target.dx.c();
  std::vector<Image<const T>> members;
  for (const Tensor& dy : op.dy) members.emplace_back(dy);
#pragma omp parallel for if (worth_threads(op))
  for (std::int64_t pixel = 0; pixel < op.target.dx.pixels(); ++pixel) {
    std::vector<double> sums(static_cast<std::size_t>(channels));
    std::int64_t row = 0;
    for (const Image<const T>& dy : members) {
      for (std::int64_t o = 0; o < dy.c; ++o, ++row) {
        add_scaled(sums.data(), static_cast<double>(dy.pixel(pixel)[o]), w + row * channels, channels);
      }
    }
    target.write(pixel, sums.data());
  }
}

template <class T>
void conv2d_fused_1x1_backward_weights(const Conv2dFused1x1BackwardWeights& op) {
  const Image<const T> x(op.x);
  T* const dw = op.dw.as<T>();
  T* const dbias = op.dbias.defined() ? op.dbias.as<T>() : nullptr;
  std::int64_t first_row = 0;
  for (const Tensor& member : op.dy) {
    const Image<const T> dy(member);
#pragma omp parallel for if (worth_threads(op))
    for (std::int64_t o = 0; o < dy.c; ++o) {
      std::vector<double> sums(static_cast<std::size_t>(x.c));
      double bias_sum = 0.0;
      for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
        const auto gradient = static_cast<double>(dy.pixel(pixel)[o]);
        add_scaled(sums.data(), gradient, x.pixel(pixel), x.c);
        bias_sum += gradient;
      }
      const std::int64_t row = first_row + o;
      for (std::int64_t i = 0; i < x.c; ++i) {
        T& gradient = dw[row * x.c + i];
        const double before = op.accumulate ? static_cast<double>(gradient) : 0.0;
        gradient = static_cast<T>(before + sums[static_cast<std::size_t>(i)]);
      }
      if (dbias != nullptr) {
        const double before = op.accumulate ? static_cast<double>(dbias[row]) : 0.0;
        dbias[row] = static_cast<T>(before + bias_sum);
      }
    }
    first_row += dy.c;
  }
}

}  // namespace minception::reference
