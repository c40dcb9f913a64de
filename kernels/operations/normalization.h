#pragma once
/// Batch normalization and local response normalization.

#include "kernels/operations/common.h"

#include <cstdint>
#include <vector>

namespace minception {

struct BatchNormAttributes {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< weight of the new batch in the running statistics
  bool relu = false;      ///< forward: y = max(0, ...). Backward expects dy already masked by (y > 0).
};

/// Per channel over the m = N*H*W values of the batch (Ioffe & Szegedy 2015, algorithm 1):
///   mean = sum x / m,   var = sum (x - mean)^2 / m,   rstd = 1 / sqrt(var + epsilon),
///   y = (x - mean) * rstd * gamma + beta, then ReLU if `relu`,
///   running_mean = (1 - momentum) * running_mean + momentum * mean,
///   running_var = (1 - momentum) * running_var + momentum * var * m / (m - 1).
/// With m = 1 the unbiased variance is undefined and running_var keeps its value.
/// x, y: (N, C, H, W).  gamma, beta, running_*, mean, rstd: (C), master. mean and rstd are saved for backward.
struct BatchNormForwardTraining {
  BatchNormAttributes attributes;
  Tensor x, gamma, beta, running_mean, running_var, y, mean, rstd;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("gamma", self.gamma, Access::read);
    f("beta", self.beta, Access::read);
    f("running_mean", self.running_mean, Access::read_write);
    f("running_var", self.running_var, Access::read_write);
    f("y", self.y, Access::write);
    f("mean", self.mean, Access::write);
    f("rstd", self.rstd, Access::write);
  }
};

/// y = (x - running_mean) / sqrt(running_var + epsilon) * gamma + beta, then ReLU if `relu`. y may be x.
struct BatchNormForwardInference {
  BatchNormAttributes attributes;
  Tensor x, gamma, beta, running_mean, running_var, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("gamma", self.gamma, Access::read);
    f("beta", self.beta, Access::read);
    f("running_mean", self.running_mean, Access::read);
    f("running_var", self.running_var, Access::read);
    f("y", self.y, Access::write);
  }
};

/// With xhat = (x - mean) * rstd:   dbeta (+)= sum dy,   dgamma (+)= sum dy * xhat,
///   dx (GradTarget) = gamma * rstd * (dy - sum(dy) / m - xhat * sum(dy * xhat) / m).   dx may be dy.
struct BatchNormBackward {
  Tensor x, gamma, mean, rstd, dy, dgamma, dbeta;
  GradTarget target;
  bool accumulate = false;  ///< adds to dgamma and dbeta

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    const Access access = self.accumulate ? Access::read_write : Access::write;
    f("x", self.x, Access::read);
    f("gamma", self.gamma, Access::read);
    f("mean", self.mean, Access::read);
    f("rstd", self.rstd, Access::read);
    f("dy", self.dy, Access::read);
    f("dgamma", self.dgamma, access);
    f("dbeta", self.dbeta, access);
    GradTarget::each_operand(self.target, f);
  }
};

/// Backward of BatchNormForwardInference; parameters and statistics are constants:
///   dx (GradTarget) = dy * gamma / sqrt(running_var + epsilon).   dx may be dy.
/// dy: (N, C, H, W).  gamma, running_var: (C), master.
struct BatchNormBackwardInference {
  BatchNormAttributes attributes;
  Tensor gamma, running_var, dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("gamma", self.gamma, Access::read);
    f("running_var", self.running_var, Access::read);
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

/// Folds inference batch norm into the preceding convolution, which has no bias:
///   s = gamma / sqrt(running_var + epsilon),
///   folded_w[o,...] = w[o,...] * s[o],   folded_bias[o] = beta[o] - running_mean[o] * s[o].
/// w, folded_w: (O, I, KH, KW), master.  gamma, beta, running_*, folded_bias: (O), master.
/// The results are kept between runs: without `refresh_prepacked` the run is skipped. Set it after an input changed.
struct FoldBatchNorm {
  double epsilon = 1e-5;
  Tensor w, gamma, beta, running_mean, running_var, folded_w, folded_bias;
  bool refresh_prepacked = true;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("w", self.w, Access::read);
    f("gamma", self.gamma, Access::read);
    f("beta", self.beta, Access::read);
    f("running_mean", self.running_mean, Access::read);
    f("running_var", self.running_var, Access::read);
    f("folded_w", self.folded_w, Access::write);
    f("folded_bias", self.folded_bias, Access::write);
  }
};

/// y[c] = x[c] * d[c]^-beta,   d[c] = k + alpha / size * sum of x[j]^2 over the existing channels j from
/// c - floor(size/2) to c + floor((size-1)/2)  (Krizhevsky et al. 2012, section 3.3; alpha is divided by size and the
/// window is placed as in PyTorch).
struct LocalResponseNormAttributes {
  std::int64_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1.0;
};

struct LocalResponseNormForward {
  LocalResponseNormAttributes attributes;
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

/// dx[c] (GradTarget) = dy[c] * d[c]^-beta - 2*alpha*beta/size * x[c] * sum of dy[j] * x[j] * d[j]^(-beta-1) over the
/// channels j whose window contains c.
struct LocalResponseNormBackward {
  LocalResponseNormAttributes attributes;
  Tensor x, dy;
  GradTarget target;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("dy", self.dy, Access::read);
    GradTarget::each_operand(self.target, f);
  }
};

}  // namespace minception

#define MINCEPTION_NORMALIZATION_OPERATIONS(F)                 \
  F(BatchNormForwardTraining, batch_norm_forward_training)     \
  F(BatchNormForwardInference, batch_norm_forward_inference)   \
  F(BatchNormBackward, batch_norm_backward)                    \
  F(BatchNormBackwardInference, batch_norm_backward_inference) \
  F(FoldBatchNorm, fold_batch_norm)                            \
  F(LocalResponseNormForward, local_response_norm_forward)     \
  F(LocalResponseNormBackward, local_response_norm_backward)
