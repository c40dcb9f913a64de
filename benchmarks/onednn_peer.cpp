#include "benchmarks/onednn_peer.h"

namespace minception {
namespace {

std::string why_no_target(const GradTarget& target) {
  if (target.accumulate || target.relu_output.defined()) {
    return "adds to a gradient or masks it in the same pass, which no primitive does";
  }
  return "";
}

/// oneDNN's average pooling that counts padding does not support windows that reach beyond the padded input.
std::string why_no_average(const Pool2dAttributes& a, const Tensor& x, const Tensor& y) {
  const bool overhangs = (y.h() - 1) * a.stride.h + a.kernel.h > x.h() + 2 * a.padding.h ||
                         (y.w() - 1) * a.stride.w + a.kernel.w > x.w() + 2 * a.padding.w;
  return overhangs && a.count_include_pad
             ? "a window that exceeds the padded input is divided by the elements inside it"
             : "";
}

std::string why_no_adaptive(const Tensor& x, const Tensor& y) {
  return x.h() % y.h() == 0 && x.w() % y.w() == 0 ? "" : "windows of several sizes";
}

struct WhyNot {
  template <class Other>
  std::string operator()(const Other&) const {
    return "no oneDNN counterpart is implemented here";
  }
  std::string operator()(const LoadBatch&) const { return "gathers, resizes and normalises bytes in one pass"; }
  std::string operator()(const Conv2dForward&) const { return ""; }
  std::string operator()(const Conv2dBackwardData& op) const { return why_no_target(op.target); }
  std::string operator()(const Conv2dBackwardWeights& op) const { return added(op.accumulate); }
  std::string operator()(const Conv2dFused1x1Forward&) const { return ""; }
  std::string operator()(const Conv2dFused1x1BackwardData& op) const { return why_no_target(op.target); }
  std::string operator()(const Conv2dFused1x1BackwardWeights& op) const { return added(op.accumulate); }
  std::string operator()(const LinearForward&) const { return ""; }
  std::string operator()(const LinearBackwardData& op) const { return why_no_target(op.target); }
  std::string operator()(const LinearBackwardWeights& op) const { return added(op.accumulate); }
  std::string operator()(const ReluForward&) const { return ""; }
  std::string operator()(const ReluBackward& op) const { return why_no_target(op.target); }
  std::string operator()(const MaxPool2dForward&) const { return ""; }
  std::string operator()(const MaxPool2dBackward& op) const {
    const std::string why = why_no_target(op.target);
    // Our argmax is given to the primitive instead of its own: on ties they may differ.
    const bool wide = op.attributes.kernel.h * op.attributes.kernel.w > 255;
    return why.empty() && wide ? "oneDNN stores the argmax in four bytes for 256 or more filter positions" : why;
  }
  std::string operator()(const AvgPool2dForward& op) const { return why_no_average(op.attributes, op.x, op.y); }
  std::string operator()(const AvgPool2dBackward& op) const {
    const std::string why = why_no_target(op.target);
    return why.empty() ? why_no_average(op.attributes, op.target.dx, op.dy) : why;
  }
  std::string operator()(const AdaptiveAvgPool2dForward& op) const { return why_no_adaptive(op.x, op.y); }
  std::string operator()(const AdaptiveAvgPool2dBackward& op) const {
    const std::string why = why_no_target(op.target);
    return why.empty() ? why_no_adaptive(op.target.dx, op.dy) : why;
  }
  std::string operator()(const GlobalAvgPoolForward&) const { return ""; }
  std::string operator()(const GlobalAvgPoolBackward& op) const { return why_no_target(op.target); }
  std::string operator()(const ConcatForward&) const { return ""; }
  std::string operator()(const Split& op) const {
    for (const GradTarget& target : op.targets) {
      const std::string why = why_no_target(target);
      if (!why.empty()) return why;
    }
    return "";
  }
  std::string operator()(const FlattenForward&) const { return ""; }
  std::string operator()(const FlattenBackward& op) const { return why_no_target(op.target); }
  std::string operator()(const AddForward& op) const {
    return op.relu && op.scale != 1.0 ? "scales and applies ReLU in one pass" : "";
  }
  std::string operator()(const AddBackward&) const { return "two copies of one tensor in one pass"; }
  std::string operator()(const Fill&) const { return "oneDNN has no fill"; }
  std::string operator()(const Cast&) const { return ""; }
  std::string operator()(const BatchNormForwardTraining&) const { return ""; }
  std::string operator()(const BatchNormForwardInference&) const { return ""; }
  std::string operator()(const BatchNormBackward& op) const {
    const std::string why = why_no_target(op.target);
    return why.empty() ? added(op.accumulate) : why;
  }
  std::string operator()(const BatchNormBackwardInference&) const {
    return "oneDNN 2.6 has no backward pass with running statistics and without parameter gradients";
  }
  std::string operator()(const FoldBatchNorm&) const { return "oneDNN leaves folding to its caller"; }
  std::string operator()(const LocalResponseNormForward& op) const { return window(op.attributes.size); }
  std::string operator()(const LocalResponseNormBackward& op) const {
    const std::string why = why_no_target(op.target);
    return why.empty() ? window(op.attributes.size) : why;
  }
  std::string operator()(const DropoutForward&) const { return "oneDNN 2 has no random numbers"; }
  std::string operator()(const DropoutBackward&) const { return "oneDNN 2 has no random numbers"; }
  std::string operator()(const SoftmaxCrossEntropy&) const { return ""; }
  std::string operator()(const SgdStep&) const { return "oneDNN has no optimizers"; }
  std::string operator()(const AdamStep&) const { return "oneDNN has no optimizers"; }
  std::string operator()(const ClipCoefficient&) const { return "oneDNN has no optimizers"; }
  std::string operator()(const EmaUpdate&) const { return "oneDNN has no optimizers"; }
  std::string operator()(const GroupNorms&) const { return "oneDNN cannot sum parts of a tensor"; }

  static std::string added(bool accumulate) {
    return accumulate ? "adds to a gradient in the same pass, which no primitive does" : "";
  }
  static std::string window(std::int64_t size) {
    return size % 2 == 0 ? "a window of even size"
           : size == 1   ? "a window of one channel, on which oneDNN 2.6 crashes"
                         : "";
  }
};

}  // namespace

std::string why_no_onednn_peer(const Operation& operation) { return std::visit(WhyNot(), operation); }

std::unique_ptr<OneDnnPeer> make_onednn_peer(const Operation& operation, DType storage, const OperandValues& values,
                                             int threads) {
  if (multiply_accumulates(operation) > 0) {
    std::unique_ptr<OneDnnPeer> convolution = make_onednn_convolution(operation, storage, values, threads);
    if (convolution != nullptr) return convolution;
  }
  return make_onednn_primitive(operation, storage, values);
}

}  // namespace minception
