#pragma once
/// Losses.

#include "kernels/operations/common.h"

#include <cstdint>
#include <vector>

namespace minception {

/// With p = softmax(logits[n]), K classes, e = label_smoothing and the target q = (1 - e) * onehot(labels[n]) + e / K
/// (Szegedy et al. 2016, section 7):
///   loss_n = -sum_k q_k log p_k,    metrics += {sum_n loss_n, number of n whose first largest logit is the label},
///   dlogits[n] = weight * (p - q) / divisor.
/// logits: (N, K), dense.  labels: (N) i32, each in [0, K).  metrics: (2), master.  dlogits: (N, K), optional; without
/// it only metrics are computed.  divisor > 0: the batch size, summed over all replicas.
struct SoftmaxCrossEntropy {
  double label_smoothing = 0.0;
  double weight = 1.0;
  double divisor = 1.0;
  Tensor logits, labels, metrics, dlogits;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("logits", self.logits, Access::read);
    f("labels", self.labels, Access::read);
    f("metrics", self.metrics, Access::read_write);
    f("dlogits", self.dlogits, Access::write);
  }
};

}  // namespace minception

#define MINCEPTION_LOSS_OPERATIONS(F) F(SoftmaxCrossEntropy, softmax_cross_entropy)
