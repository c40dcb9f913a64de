#pragma once
#include "layers/layer.h"

namespace minception {

/// (N, C, H, W) to (N, C*H*W) in the element order of PyTorch's Flatten, so that the weights of the following fully
/// connected layer match PyTorch's.
///   forward    y[n, (c*H + h)*W + w] = x[n,c,h,w]
///   backward   dx[n,c,h,w] = dy[n, (c*H + h)*W + w]
/// The output is dense: it cannot be a branch of Concat.
class Flatten final : public Layer {
 public:
  Shape output_shape(const Shape& input) const override {
    return {input[0], input.extent_or_1(1) * input.extent_or_1(2) * input.extent_or_1(3)};
  }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;
};

}  // namespace minception
