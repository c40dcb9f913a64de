#pragma once
/// A custom operation that uses all that an operation of the library can have: Swish with a trainable slope per channel
/// (Ramachandran et al. 2017),  y = x * s,  s = 1 / (1 + exp(-w[c] x)).

#include "kernels/elements.h"
#include "kernels/operations.h"

#include <cmath>
#include <string_view>

namespace minception {

/// y and its derivatives at (x, w).
template <class T>
struct SwishValue {
  T y, dx, dw;

  MINCEPTION_HOST_DEVICE SwishValue(T x, T w) {
    const T s = 1 / (1 + std::exp(-w * x));
    y = x * s;
    dx = s + w * x * s * (1 - s);
    dw = x * x * s * (1 - s);
  }
};

class SwishForward : public CustomOperation {
 public:
  const char* name() const override { return "swish_forward"; }
  void validate(const Custom& op) const override;
  void run(const Custom& op, const RunContext& context) const override;
#ifdef MINCEPTION_TEST_KERNELS
  bool supports(std::string_view) const override { return true; }
  void run_cuda(const Custom& op, const RunContext& context) const override;
#endif
};

class SwishBackward : public CustomOperation {
 public:
  const char* name() const override { return "swish_backward"; }
  void validate(const Custom& op) const override;
  /// Sums of dw: on the host one per channel in double, on cuda kParts per channel in float.
  std::size_t workspace(const Custom& op) const override {
    return static_cast<std::size_t>(op["x"].c()) * kParts * sizeof(float);
  }
  void run(const Custom& op, const RunContext& context) const override;
#ifdef MINCEPTION_TEST_KERNELS
  bool supports(std::string_view) const override { return true; }
  void run_cuda(const Custom& op, const RunContext& context) const override;
#endif

  static constexpr int kParts = 8;
};

/// y = swish(x).   x, y: images.  w: (C), master.  y may be x.
inline Custom swish_forward(const Tensor& x, const Tensor& w, const Tensor& y) {
  return {.operation = std::make_shared<SwishForward>(), .inputs = {{"x", x}, {"w", w}}, .outputs = {{"y", y}}};
}
/// dx (GradTarget) = dy * dy/dx;  dw[c] (+)= sum over pixels of dy * dy/dw. dx may be dy.
inline Custom swish_backward(const Tensor& x, const Tensor& w, const Tensor& dy, const Tensor& dw,
                             const GradTarget& target) {
  return {.operation = std::make_shared<SwishBackward>(),
          .inputs = {{"x", x}, {"w", w}, {"dy", dy}},
          .gradients = {{"dw", dw}},
          .target = target};
}

}  // namespace minception
