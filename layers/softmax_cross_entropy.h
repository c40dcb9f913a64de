#pragma once
#include <minception/layers/plan.h>

#include <string>

namespace minception {

/// The loss of one head: softmax and cross-entropy, averaged over the batch, with label smoothing (Szegedy et al. 2016,
/// section 7).
///   forward    loss = -(1/N) sum_n sum_k q_k log p_k,   p = softmax(logits),   q = (1 - e) * onehot(label) + e / K
///   backward   dlogits = weight * (p - q) / N
/// Both are one operation, which also counts the right answers (see operations.h).
struct SoftmaxCrossEntropyLoss {
  double label_smoothing = 0.0;
  double weight = 1.0;

  /// Plans the loss of head number `head`. In training the result is dlogits, in inference it is undefined.
  Tensor plan(Plan& plan, const std::string& name, std::size_t head, const Tensor& logits, const Tensor& labels) const;
};

}  // namespace minception
