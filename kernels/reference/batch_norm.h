#pragma once
/// y = (x - mean) * rstd * gamma + beta, with mean and rstd = 1 / sqrt(var + epsilon) per channel over m = N*H*W
/// values, dx = gamma * rstd * (dy - sum(dy) / m - xhat * sum(dy * xhat) / m),  xhat = (x - mean) * rstd.
/// In inference the statistics are constants and dx = gamma * rstd * dy.
///
/// The variance is computed in a second pass over x, because E[x^2] - E[x]^2 suffers from cancellation.

#include "kernels/reference/image.h"

#include <cmath>

namespace minception::reference {

template <class T>
void batch_norm_forward_training(const BatchNormForwardTraining& op) {
  const auto& [epsilon, momentum, with_relu] = op.attributes;
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  const T* gamma = op.gamma.as<const T>();
  const T* beta = op.beta.as<const T>();
  T* const running_mean = op.running_mean.as<T>();
  T* const running_var = op.running_var.as<T>();
  const auto m = static_cast<double>(x.pixels());
  for (std::int64_t c = 0; c < x.c; ++c) {
    double sum = 0.0;
    for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) sum += static_cast<double>(x.pixel(pixel)[c]);
    const double mean = sum / m;
    double squares = 0.0;
    for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
      const double deviation = static_cast<double>(x.pixel(pixel)[c]) - mean;
      squares += deviation * deviation;
    }
    const double rstd = 1.0 / std::sqrt(squares / m + epsilon);
    op.mean.as<T>()[c] = static_cast<T>(mean);
    op.rstd.as<T>()[c] = static_cast<T>(rstd);
    running_mean[c] = static_cast<T>((1.0 - momentum) * static_cast<double>(running_mean[c]) + momentum * mean);
    if (x.pixels() > 1) {
      const double unbiased = squares / (m - 1.0);
      running_var[c] = static_cast<T>((1.0 - momentum) * static_cast<double>(running_var[c]) + momentum * unbiased);
    }
    for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
      const double xhat = (static_cast<double>(x.pixel(pixel)[c]) - mean) * rstd;
      const double value = xhat * static_cast<double>(gamma[c]) + static_cast<double>(beta[c]);
      y.pixel(pixel)[c] = static_cast<T>(with_relu ? relu(value) : value);
    }
  }
}

template <class T>
void batch_norm_forward_inference(const BatchNormForwardInference& op) {
  const Image<const T> x(op.x);
  const Image<T> y(op.y);
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto mean = static_cast<double>(op.running_mean.as<const T>()[c]);
    const double rstd = 1.0 / std::sqrt(static_cast<double>(op.running_var.as<const T>()[c]) + op.attributes.epsilon);
    const auto gamma = static_cast<double>(op.gamma.as<const T>()[c]);
    const auto beta = static_cast<double>(op.beta.as<const T>()[c]);
    for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
      const double value = (static_cast<double>(x.pixel(pixel)[c]) - mean) * rstd * gamma + beta;
      y.pixel(pixel)[c] = static_cast<T>(op.attributes.relu ? relu(value) : value);
    }
  }
}

template <class T>
void fold_batch_norm(const FoldBatchNorm& op) {
  const std::int64_t row = op.w.elements() / op.w.n();  // weights of one output channel, contiguous
  for (std::int64_t o = 0; o < op.w.n(); ++o) {
    const double var = static_cast<double>(op.running_var.as<const T>()[o]);
    const double scale = static_cast<double>(op.gamma.as<const T>()[o]) / std::sqrt(var + op.epsilon);
    for (std::int64_t i = o * row; i < (o + 1) * row; ++i) {
      op.folded_w.as<T>()[i] = static_cast<T>(static_cast<double>(op.w.as<const T>()[i]) * scale);
    }
    op.folded_bias.as<T>()[o] = static_cast<T>(static_cast<double>(op.beta.as<const T>()[o]) -
                                               static_cast<double>(op.running_mean.as<const T>()[o]) * scale);
  }
}

template <class T>
void batch_norm_backward(const BatchNormBackward& op) {
  const Image<const T> x(op.x), dy(op.dy);
  const GradWriter<T> target(op.target);
  T* const dgamma = op.dgamma.as<T>();
  T* const dbeta = op.dbeta.as<T>();
  const auto m = static_cast<double>(x.pixels());
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto mean = static_cast<double>(op.mean.as<const T>()[c]);
    const auto rstd = static_cast<double>(op.rstd.as<const T>()[c]);
    const auto gamma = static_cast<double>(op.gamma.as<const T>()[c]);
    double sum_dy = 0.0;
    double sum_dy_xhat = 0.0;
    for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
      const auto gradient = static_cast<double>(dy.pixel(pixel)[c]);
      sum_dy += gradient;
      sum_dy_xhat += gradient * (static_cast<double>(x.pixel(pixel)[c]) - mean) * rstd;
    }
    dgamma[c] = static_cast<T>((op.accumulate ? static_cast<double>(dgamma[c]) : 0.0) + sum_dy_xhat);
    dbeta[c] = static_cast<T>((op.accumulate ? static_cast<double>(dbeta[c]) : 0.0) + sum_dy);
    for (std::int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
      const double xhat = (static_cast<double>(x.pixel(pixel)[c]) - mean) * rstd;
      const auto gradient = static_cast<double>(dy.pixel(pixel)[c]);
      target.write(pixel, c, gamma * rstd * (gradient - sum_dy / m - xhat * sum_dy_xhat / m));
    }
  }
}

template <class T>
void batch_norm_backward_inference(const BatchNormBackwardInference& op) {
  const Image<const T> dy(op.dy);
  const GradWriter<T> target(op.target);
  for (std::int64_t c = 0; c < dy.c; ++c) {
    const auto variance = static_cast<double>(op.running_var.as<const T>()[c]);
    const double factor = static_cast<double>(op.gamma.as<const T>()[c]) / std::sqrt(variance + op.attributes.epsilon);
    for (std::int64_t pixel = 0; pixel < dy.pixels(); ++pixel) {
      target.write(pixel, c, static_cast<double>(dy.pixel(pixel)[c]) * factor);
    }
  }
}

}  // namespace minception::reference
