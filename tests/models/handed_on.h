#pragma once
/// Transfers forward results of one network to another, so that both backward passes use the same activations.

#include "kernels/operations.h"

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace minception {

/// Writes values into a tensor of the reference backend (host memory).
inline void write(const Tensor& tensor, const std::vector<double>& values) {
  const std::int64_t row = tensor.is_image() ? tensor.c() : tensor.elements();
  const std::int64_t stride = tensor.is_image() ? tensor.pixel_stride : row;
  for (std::int64_t k = 0; k < tensor.elements(); ++k) {
    const std::int64_t i = k / row * stride + k % row;
    const double value = values[static_cast<std::size_t>(k)];
    if (tensor.dtype == DType::f64) {
      tensor.as<double>()[i] = value;
    } else {
      tensor.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(value);
    }
  }
}

/// |x - y| / |y|
inline double relative_difference(const std::vector<double>& x, const std::vector<double>& y) {
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference / norm);
}

/// Whether the forward pass writes this tensor for the backward pass: activations, pooling indices, batch statistics.
inline bool is_handed_on(std::string_view role, const Tensor& tensor, Access access) {
  return access != Access::read && (role == "y" || role == "argmax" || role == "mean" || role == "rstd") &&
         tensor.dtype != DType::i32;
}

}  // namespace minception
