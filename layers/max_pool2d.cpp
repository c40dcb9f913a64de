#include "layers/max_pool2d.h"

namespace minception {

void check_windows(const Pool2dAttributes& windows) {
  const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = windows;
  require(kernel.h >= 1 && kernel.w >= 1 && stride.h >= 1 && stride.w >= 1 && padding.h >= 0 && padding.w >= 0,
          "a pool with a window of ", kernel.h, "x", kernel.w, ", stride ", stride.h, "x", stride.w, ", padding ",
          padding.h, "x", padding.w, ": window and stride must be at least 1, padding at least 0");
  require(2 * padding.h <= kernel.h && 2 * padding.w <= kernel.w, "a pool with a window of ", kernel.h, "x", kernel.w,
          " and padding ", padding.h, "x", padding.w, ": the padding must be at most half of the window");
}

Shape pooled_shape(const Shape& input, const Pool2dAttributes& windows, const std::string& layer) {
  const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = windows;
  const std::int64_t h = pooled_extent(input.extent_or_1(2), kernel.h, stride.h, padding.h, ceil_mode);
  const std::int64_t w = pooled_extent(input.extent_or_1(3), kernel.w, stride.w, padding.w, ceil_mode);
  require(h > 0 && w > 0, layer, ": a window of ", kernel.h, "x", kernel.w, " with padding ", padding.h, "x", padding.w,
          " leaves no output for an input ", input,
          input.rank() == 4 ? "; use a larger image" : ": images (N, C, H, W) are needed");
  return {input[0], input[1], h, w};
}

Tensor MaxPool2d::forward(Plan& plan, const Tensor& x, const Tensor& destination) {
  const Tensor y = output(plan, x, destination);
  argmax_ = plan.mode() == Mode::training ? plan.activation(name() + ": argmax", y.shape, DType::u8) : Tensor{};
  plan.add(name(), MaxPool2dForward{.attributes = windows_, .x = x, .y = y, .argmax = argmax_});
  return y;
}

void MaxPool2d::backward(Plan& plan, const Tensor& dy, const GradTarget& target) {
  if (!target.dx.defined()) return;
  plan.add(name(), MaxPool2dBackward{.attributes = windows_, .dy = dy, .argmax = argmax_, .target = target});
}

}  // namespace minception
