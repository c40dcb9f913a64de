#pragma once
#include "layers/layer.h"
#include "layers/settings.h"

#include <concepts>
#include <optional>

namespace minception {

/// Settings of a pool besides its window.
struct PoolOptions {
  ByName by_name = ByName();
  std::optional<Extent2d> stride = std::nullopt;  ///< nullopt: the window's size, as in PyTorch
  Extent2d padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;  ///< average pools only
};

/// The same with the window: MaxPool2d({.kernel = 3, .stride = 2}).
struct PoolWindow {
  ByName by_name = ByName();
  Extent2d kernel = 0;  ///< must be given
  std::optional<Extent2d> stride = std::nullopt;
  Extent2d padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
};

/// Pool2dAttributes from the constructor's arguments, and their names in files.
struct PoolSettings : Pool2dAttributes {
  PoolSettings() = default;
  PoolSettings(const Pool2dAttributes& windows) : Pool2dAttributes(windows) {}
  PoolSettings(Extent2d size, const PoolOptions& options)
      : Pool2dAttributes{size, options.stride.value_or(size), options.padding, options.ceil_mode,
                         options.count_include_pad} {}
  PoolSettings(const PoolWindow& window)
      : Pool2dAttributes{window.kernel, window.stride.value_or(window.kernel), window.padding, window.ceil_mode,
                         window.count_include_pad} {}

  template <class Self, class F>
  static void each_setting(Self& self, F&& f) {
    f("kernel", self.kernel);
    f("stride", self.stride);
    f("padding", self.padding);
    f("ceil_mode", self.ceil_mode);
    f("count_include_pad", self.count_include_pad);
  }
};

/// Throws Error for a window or stride below 1, for negative padding, and for padding above half of the window.
void check_windows(const Pool2dAttributes& windows);
/// Output shape of a pool with these windows. Throws Error, naming the layer, if it is empty.
Shape pooled_shape(const Shape& input, const Pool2dAttributes& windows, const std::string& layer);

/// Max pooling (Zhou & Chellappa 1988; as in PyTorch's MaxPool2d).
///   forward    y[p,q] = max over the window,  argmax[p,q] = window index of the maximum
///   backward   dx[h,w] = sum of dy[p,q] over the windows whose maximum is at (h, w)
/// Backward needs argmax only (one byte per output).
class MaxPool2d final : public Layer {
 public:
  using Options = PoolSettings;

  /// MaxPool2d(3, {.stride = 2, .padding = 1}). Throws Error like check_windows.
  explicit MaxPool2d(Extent2d kernel, const PoolOptions& options = {}) : MaxPool2d(PoolSettings(kernel, options)) {}
  /// MaxPool2d(3, 2, 1): window, stride and padding, as in PyTorch.
  MaxPool2d(Extent2d kernel, Extent2d stride, Extent2d padding = 0)
      : MaxPool2d(kernel, PoolOptions{.stride = stride, .padding = padding}) {}
  /// MaxPool2d({.kernel = 3, .stride = 2}). MaxPool2d({3, 2}), which could be a window or window and stride, is ambiguous.
  explicit MaxPool2d(const PoolWindow& window) : MaxPool2d(PoolSettings(window)) {}
  template <std::derived_from<Pool2dAttributes> Attributes>
  explicit MaxPool2d(const Attributes& windows) : windows_(windows) {
    check_windows(windows);
  }
  const Options& options() const { return windows_; }

  Shape output_shape(const Shape& input) const override { return pooled_shape(input, windows_, name()); }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

 private:
  PoolSettings windows_;
  Tensor argmax_;
};

}  // namespace minception
