#include <minception/kernels/operations.h>

#include <algorithm>
#include <iterator>

namespace minception {

std::int64_t convolved_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  const std::int64_t span = in + 2 * padding - kernel;
  return span < 0 ? 0 : span / stride + 1;
}

std::int64_t pooled_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                           bool ceil_mode) {
  const std::int64_t out = convolved_extent(in, kernel, stride, padding);
  if (!ceil_mode) return out;
  // Rounded towards plus infinity, below zero too: division truncates there, which is what that takes.
  const std::int64_t span = in + 2 * padding - kernel;
  const std::int64_t rounded_up = (span > 0 ? (span + stride - 1) / stride : span / stride) + 1;
  if (rounded_up <= 0) return 0;
  return (rounded_up - 1) * stride >= in + padding ? rounded_up - 1 : rounded_up;
}

std::string_view name_of(const Operation& operation) {
  static constexpr std::string_view kNames[] = {
      "load_batch",
      "conv2d_forward",
      "conv2d_backward_data",
      "conv2d_backward_weights",
      "conv2d_1x1_group_forward",
      "conv2d_1x1_group_backward_data",
      "conv2d_1x1_group_backward_weights",
      "linear_forward",
      "linear_backward_data",
      "linear_backward_weights",
      "relu_forward",
      "relu_backward",
      "max_pool2d_forward",
      "max_pool2d_backward",
      "avg_pool2d_forward",
      "avg_pool2d_backward",
      "adaptive_avg_pool2d_forward",
      "adaptive_avg_pool2d_backward",
      "global_avg_pool_forward",
      "global_avg_pool_backward",
      "concat_forward",
      "split",
      "flatten_forward",
      "flatten_backward",
      "add_forward",
      "add_backward",
      "fill",
      "cast",
      "batch_norm_forward_training",
      "batch_norm_forward_inference",
      "batch_norm_backward",
      "batch_norm_backward_inference",
      "fold_batch_norm",
      "local_response_norm_forward",
      "local_response_norm_backward",
      "dropout_forward",
      "dropout_backward",
      "softmax_cross_entropy",
      "sgd_step",
      "adam_step",
      "clip_factor",
      "ema_update",
      "segment_norms",
  };
  static_assert(std::size(kNames) == std::variant_size_v<Operation>, "every operation has a name");
  return kNames[operation.index()];
}

namespace {

struct MultiplyAccumulates {
  // Every output value of a convolution takes one multiply-accumulate per weight of its filter.
  static std::int64_t conv(const Tensor& y, const Tensor& w) { return y.pixels() * w.elements(); }

  std::int64_t operator()(const Conv2dForward& op) const { return conv(op.y, op.w); }
  std::int64_t operator()(const Conv2dBackwardData& op) const { return conv(op.dy, op.w); }
  std::int64_t operator()(const Conv2dBackwardWeights& op) const { return conv(op.dy, op.dw); }
  std::int64_t operator()(const Conv2d1x1GroupForward& op) const { return conv(op.x, op.w); }
  std::int64_t operator()(const Conv2d1x1GroupBackwardData& op) const { return conv(op.target.dx, op.w); }
  std::int64_t operator()(const Conv2d1x1GroupBackwardWeights& op) const { return conv(op.x, op.dw); }
  std::int64_t operator()(const LinearForward& op) const { return conv(op.y, op.w); }
  std::int64_t operator()(const LinearBackwardData& op) const { return conv(op.dy, op.w); }
  std::int64_t operator()(const LinearBackwardWeights& op) const { return conv(op.dy, op.dw); }
  template <class Other>
  std::int64_t operator()(const Other&) const {
    return 0;
  }
};

}  // namespace

std::int64_t multiply_accumulates(const Operation& operation) { return std::visit(MultiplyAccumulates{}, operation); }

}  // namespace minception
