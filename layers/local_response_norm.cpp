#include "layers/local_response_norm.h"

#include <cmath>

namespace minception {

LocalResponseNorm::LocalResponseNorm(const LocalResponseNormAttributes& attributes) : attributes_{attributes} {
  const auto& [size, alpha, beta, k] = attributes;
  const auto check = [](bool valid, const char* option, double value, const char* range) {
    require(valid && std::isfinite(value), "a LocalResponseNorm with ", option, " ", value, ": it must be ", range);
  };
  check(size >= 1, "size", static_cast<double>(size), "at least 1");
  check(alpha >= 0.0, "alpha", alpha, "a finite number, 0 or more");
  check(beta >= 0.0, "beta", beta, "a finite number, 0 or more");
  check(k > 0.0, "k", k, "a finite number above 0");
}

Tensor LocalResponseNorm::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  x_ = x;
  const Tensor y = output(plan, x, destination);
  plan.add(name(), LocalResponseNormForward{.attributes = attributes_, .x = x, .y = y});
  return y;
}

void LocalResponseNorm::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (!target.dx.defined()) return;
  plan.add(name(), LocalResponseNormBackward{.attributes = attributes_, .x = x_, .dy = dy, .target = target});
}

}  // namespace minception
