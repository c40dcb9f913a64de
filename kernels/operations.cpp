#include "kernels/operations.h"

namespace minception {

std::int64_t convolved_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  const std::int64_t span = in + 2 * padding - kernel;
  return span < 0 ? 0 : span / stride + 1;
}

std::int64_t pooled_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                           bool ceil_mode) {
  const std::int64_t out = convolved_extent(in, kernel, stride, padding);
  if (!ceil_mode) return out;
  // ceil(span / stride) + 1. For negative spans, truncating division already rounds towards plus infinity.
  const std::int64_t span = in + 2 * padding - kernel;
  const std::int64_t rounded_up = (span > 0 ? (span + stride - 1) / stride : span / stride) + 1;
  if (rounded_up <= 0) return 0;
  return (rounded_up - 1) * stride >= in + padding ? rounded_up - 1 : rounded_up;
}

std::string_view name_of(const Operation& operation) {
#define MINCEPTION_NAME(Struct, name) #name,
  static constexpr std::string_view kNames[] = {MINCEPTION_OPERATIONS(MINCEPTION_NAME)};
#undef MINCEPTION_NAME
  const Custom* custom = std::get_if<Custom>(&operation);
  if (custom != nullptr && custom->operation != nullptr) return custom->operation->name();
  return kNames[operation.index()];
}

void validate(const Operation& operation) {
  std::visit([](const auto& op) { validate(op); }, operation);
}

namespace {

struct MultiplyAccumulates {
  // One multiply-accumulate per output pixel and weight.
  static std::int64_t conv(const Tensor& y, const Tensor& w) { return y.pixels() * w.elements(); }

  std::int64_t operator()(const Conv2dForward& op) const { return conv(op.y, op.w); }
  std::int64_t operator()(const Conv2dBackwardData& op) const { return conv(op.dy, op.w); }
  std::int64_t operator()(const Conv2dBackwardWeights& op) const { return conv(op.dy, op.dw); }
  std::int64_t operator()(const Conv2dFused1x1Forward& op) const { return conv(op.x, op.w); }
  std::int64_t operator()(const Conv2dFused1x1BackwardData& op) const { return conv(op.target.dx, op.w); }
  std::int64_t operator()(const Conv2dFused1x1BackwardWeights& op) const { return conv(op.x, op.dw); }
  std::int64_t operator()(const LinearForward& op) const { return conv(op.y, op.w); }
  std::int64_t operator()(const LinearBackwardData& op) const { return conv(op.dy, op.w); }
  std::int64_t operator()(const LinearBackwardWeights& op) const { return conv(op.dy, op.dw); }
  std::int64_t operator()(const Custom& op) const { return op.operation->multiply_accumulates(op); }
  template <class Other>
  std::int64_t operator()(const Other&) const {
    return 0;
  }
};

}  // namespace

std::int64_t multiply_accumulates(const Operation& operation) { return std::visit(MultiplyAccumulates{}, operation); }

}  // namespace minception
