#pragma once
#include "layers/layer.h"

namespace minception {

/// Throws Error for a window or stride below 1 and for negative padding.
void check_windows(const Pool2dAttributes& windows);
/// Output shape of a pool with these windows. Throws Error, naming the layer, if it is empty.
Shape pooled_shape(const Shape& input, const Pool2dAttributes& windows, const std::string& layer);

/// Max pooling (Zhou & Chellappa 1988; as in PyTorch's MaxPool2d).
///   forward    y[p,q] = max over the window,  argmax[p,q] = window index of the maximum
///   backward   dx[h,w] = sum of dy[p,q] over the windows whose maximum is at (h, w)
/// Backward needs argmax only (one byte per output).
class MaxPool2d final : public Layer {
 public:
  explicit MaxPool2d(const Pool2dAttributes& windows) : windows_(windows) { check_windows(windows); }

  Shape output_shape(const Shape& input) const override { return pooled_shape(input, windows_, name()); }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

  const Pool2dAttributes& windows() const { return windows_; }

 private:
  Pool2dAttributes windows_;
  Tensor argmax_;
};

}  // namespace minception
