#include "kernels/operations/normalization.h"
#include "kernels/operations/validator.h"

#include <cmath>
#include <utility>

namespace minception {
namespace {

class NormalizationValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const BatchNormForwardTraining& op) const {
    batch_norm(op.attributes);
    alike(op.x, op.y, "x", "y");
    image(op.x, "x");
    master_vector(op.gamma, "gamma", op.x.c(), op.x);
    master_vector(op.beta, "beta", op.x.c(), op.x);
    master_vector(op.running_mean, "running_mean", op.x.c(), op.x);
    master_vector(op.running_var, "running_var", op.x.c(), op.x);
    master_vector(op.mean, "mean", op.x.c(), op.x);
    master_vector(op.rstd, "rstd", op.x.c(), op.x);
  }
  void operator()(const BatchNormForwardInference& op) const {
    batch_norm(op.attributes);
    alike(op.x, op.y, "x", "y");
    image(op.x, "x");
    master_vector(op.gamma, "gamma", op.x.c(), op.x);
    master_vector(op.beta, "beta", op.x.c(), op.x);
    master_vector(op.running_mean, "running_mean", op.x.c(), op.x);
    master_vector(op.running_var, "running_var", op.x.c(), op.x);
  }
  void operator()(const BatchNormBackward& op) const {
    alike(op.x, op.dy, "x", "dy");
    image(op.x, "x");
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
    master_vector(op.gamma, "gamma", op.x.c(), op.x);
    master_vector(op.mean, "mean", op.x.c(), op.x);
    master_vector(op.rstd, "rstd", op.x.c(), op.x);
    master_vector(op.dgamma, "dgamma", op.x.c(), op.x);
    master_vector(op.dbeta, "dbeta", op.x.c(), op.x);
  }
  void operator()(const BatchNormBackwardInference& op) const {
    batch_norm(op.attributes);
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
    master_vector(op.gamma, "gamma", op.dy.c(), op.dy);
    master_vector(op.running_var, "running_var", op.dy.c(), op.dy);
  }
  void operator()(const FoldBatchNorm& op) const {
    present(op.w, "w");
    present(op.folded_w, "folded_w");
    check(op.w.is_image() && op.w.elements() > 0 && op.w.dense() &&
              (op.w.dtype == DType::f32 || op.w.dtype == DType::f64),
          "w must be dense f32 or f64 (O, I, KH, KW), not ", name_of(op.w.dtype), " ", op.w.shape);
    check(op.folded_w.shape == op.w.shape && op.folded_w.dtype == op.w.dtype && op.folded_w.dense(), "folded_w ",
          op.folded_w.shape, " and w ", op.w.shape, " differ");
    check(op.epsilon > 0.0 && std::isfinite(op.epsilon), "an epsilon of ", op.epsilon, " must be above 0");
    master_vector(op.gamma, "gamma", op.w.n(), op.w);
    master_vector(op.beta, "beta", op.w.n(), op.w);
    master_vector(op.running_mean, "running_mean", op.w.n(), op.w);
    master_vector(op.running_var, "running_var", op.w.n(), op.w);
    master_vector(op.folded_bias, "folded_bias", op.w.n(), op.w);
  }
  void operator()(const LocalResponseNormForward& op) const {
    alike(op.x, op.y, "x", "y");
    image(op.x, "x");
    local_response_norm(op.attributes);
  }
  void operator()(const LocalResponseNormBackward& op) const {
    alike(op.x, op.dy, "x", "dy");
    image(op.x, "x");
    target(op.target, op.dy);
    alike(op.dy, op.target.dx, "dy", "dx");
    local_response_norm(op.attributes);
  }

 private:
  void batch_norm(const BatchNormAttributes& attributes) const {
    check(attributes.epsilon > 0.0 && std::isfinite(attributes.epsilon) && attributes.momentum >= 0.0 &&
              attributes.momentum <= 1.0,
          "epsilon ", attributes.epsilon, " or momentum ", attributes.momentum, " is not possible");
  }
  void local_response_norm(const LocalResponseNormAttributes& a) const {
    check(a.size >= 1, "the window must hold at least one channel, not ", a.size);
    // Keeps d = k + alpha / size * sum above 0, because d^-beta is computed.
    check(a.k > 0.0 && a.alpha >= 0.0 && std::isfinite(a.k) && std::isfinite(a.alpha) && std::isfinite(a.beta), "k ",
          a.k, " must be above 0, alpha ", a.alpha, " 0 or more, beta ", a.beta, " finite");
  }
};

}  // namespace

#define DEFINE(Struct, name) \
  void validate(const Struct& op) { NormalizationValidator(#name)(op); }
MINCEPTION_NORMALIZATION_OPERATIONS(DEFINE)

}  // namespace minception
