#pragma once
#include "layers/plan.h"

#include <string>

namespace minception {

/// Loss of one head: mean softmax cross-entropy over the batch, with label smoothing (Szegedy et al. 2016, section 7).
///   forward    loss = -(1/N) sum_n sum_k q_k log p_k,   p = softmax(logits),   q = (1 - e) * onehot(label) + e / K
///   backward   dlogits = weight * (p - q) / N
/// One operation computes both and counts correct predictions (see kernels/operations/loss.h).
struct SoftmaxCrossEntropyLoss {
  double label_smoothing = 0.0;
  double weight = 1.0;

  /// Plans the loss of head `head`. Returns dlogits in training, an undefined tensor in inference.
  Tensor plan(Plan& plan, const std::string& name, std::size_t head, const Tensor& logits, const Tensor& labels) const;
};

}  // namespace minception
