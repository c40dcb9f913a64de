#pragma once
/// loss_n = -sum_k q_k log p_k,   dlogits[n] = weight * (p - q) / divisor,
/// with p = softmax(logits[n]) and q = (1 - label_smoothing) * onehot(labels[n]) + label_smoothing / K.
///
/// To avoid overflow, the largest logit is subtracted before exp, and log p_k = logit_k - log(sum of exp).

#include "kernels/reference/image.h"

#include <cmath>

namespace minception::reference {

template <class T>
void softmax_cross_entropy(const SoftmaxCrossEntropy& op) {
  const Image<const T> logits(op.logits);
  const std::int32_t* const labels = op.labels.as<const std::int32_t>();
  const std::int64_t classes = logits.c;
  double loss = 0.0;
  double correct = 0.0;
  for (std::int64_t n = 0; n < logits.n; ++n) {
    const T* const row = logits.pixel(n);
    const std::int64_t label = labels[n];
    require(label >= 0 && label < classes, "softmax_cross_entropy: label ", label, " of sample ", n, " is not in [0, ",
            classes, ")");
    std::int64_t first_largest = 0;
    for (std::int64_t k = 1; k < classes; ++k) {
      if (row[k] > row[first_largest]) first_largest = k;
    }
    const auto largest = static_cast<double>(row[first_largest]);
    double exponentials = 0.0;
    for (std::int64_t k = 0; k < classes; ++k) exponentials += std::exp(static_cast<double>(row[k]) - largest);
    const double log_sum = largest + std::log(exponentials);

    if (first_largest == label) correct += 1.0;
    for (std::int64_t k = 0; k < classes; ++k) {
      const double log_p = static_cast<double>(row[k]) - log_sum;
      const double q =
          (k == label ? 1.0 - op.label_smoothing : 0.0) + op.label_smoothing / static_cast<double>(classes);
      if (q > 0.0) loss -= q * log_p;  // 0 * log 0 counts as 0
      if (op.dlogits.defined()) {
        Image<T>(op.dlogits).pixel(n)[k] = static_cast<T>(op.weight * (std::exp(log_p) - q) / op.divisor);
      }
    }
  }
  T* const metrics = op.metrics.as<T>();
  metrics[0] = static_cast<T>(static_cast<double>(metrics[0]) + loss);
  metrics[1] = static_cast<T>(static_cast<double>(metrics[1]) + correct);
}

}  // namespace minception::reference
