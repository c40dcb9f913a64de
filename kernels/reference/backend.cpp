/// The reference backend: picks float or double for each operation and runs its plain loops on host memory.

#include <minception/kernels/backend.h>

#include <minception/kernels/reference/adam.h>
#include <minception/kernels/reference/adaptive_avg_pool2d.h>
#include <minception/kernels/reference/add.h>
#include <minception/kernels/reference/avg_pool2d.h>
#include <minception/kernels/reference/batch_norm.h>
#include <minception/kernels/reference/cast.h>
#include <minception/kernels/reference/clip_factor.h>
#include <minception/kernels/reference/concat.h>
#include <minception/kernels/reference/conv2d.h>
#include <minception/kernels/reference/conv2d_1x1_group.h>
#include <minception/kernels/reference/dropout.h>
#include <minception/kernels/reference/ema.h>
#include <minception/kernels/reference/fill.h>
#include <minception/kernels/reference/flatten.h>
#include <minception/kernels/reference/global_avg_pool.h>
#include <minception/kernels/reference/linear.h>
#include <minception/kernels/reference/load_batch.h>
#include <minception/kernels/reference/local_response_norm.h>
#include <minception/kernels/reference/max_pool2d.h>
#include <minception/kernels/reference/relu.h>
#include <minception/kernels/reference/segment_norms.h>
#include <minception/kernels/reference/sgd.h>
#include <minception/kernels/reference/softmax_cross_entropy.h>

#include <algorithm>

namespace minception {
namespace {

/// Calls f with a value of the dtype's type, for it to take the type from.
template <class F>
void in_dtype_of(const Tensor& tensor, F&& f) {
  switch (tensor.dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    default:
      fail("the reference backend computes in f32 and f64, not in ", name_of(tensor.dtype),
           ": choose one of these, or another backend");
  }
}

/// The same for operations that only move values, which know bf16 too.
template <class F>
void in_floating_dtype_of(const Tensor& tensor, F&& f) {
  if (tensor.dtype == DType::bf16) return f(bf16{});
  in_dtype_of(tensor, f);
}

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  std::string description() const override { return "plain loops in the dtype of the operands, sums in double"; }
  Device device() const override { return {}; }

  Buffer allocate(std::size_t bytes) override { return allocate_host(bytes); }
  std::size_t available_memory() const override { return available_host_memory(); }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override { copy(device, host, bytes); }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override { copy(host, device, bytes); }
  void fill_zero(void* device, std::size_t bytes) override {
    std::fill_n(static_cast<std::byte*>(device), bytes, std::byte{0});
  }
  void synchronize() override {}

  void load_batch(const LoadBatch& op, Workspace) override {
    in_dtype_of(op.y, [&](auto zero) { reference::load_batch<decltype(zero)>(op); });
  }
  void conv2d_forward(const Conv2dForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::conv2d_forward<decltype(zero)>(op); });
  }
  void conv2d_backward_data(const Conv2dBackwardData& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::conv2d_backward_data<decltype(zero)>(op); });
  }
  void conv2d_backward_weights(const Conv2dBackwardWeights& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::conv2d_backward_weights<decltype(zero)>(op); });
  }
  void conv2d_1x1_group_forward(const Conv2d1x1GroupForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::conv2d_1x1_group_forward<decltype(zero)>(op); });
  }
  void conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData& op, Workspace) override {
    in_dtype_of(op.w, [&](auto zero) { reference::conv2d_1x1_group_backward_data<decltype(zero)>(op); });
  }
  void conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::conv2d_1x1_group_backward_weights<decltype(zero)>(op); });
  }
  void linear_forward(const LinearForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::linear_forward<decltype(zero)>(op); });
  }
  void linear_backward_data(const LinearBackwardData& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::linear_backward_data<decltype(zero)>(op); });
  }
  void linear_backward_weights(const LinearBackwardWeights& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::linear_backward_weights<decltype(zero)>(op); });
  }
  void relu_forward(const ReluForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::relu_forward<decltype(zero)>(op); });
  }
  void relu_backward(const ReluBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::relu_backward<decltype(zero)>(op); });
  }
  void max_pool2d_forward(const MaxPool2dForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::max_pool2d_forward<decltype(zero)>(op); });
  }
  void max_pool2d_backward(const MaxPool2dBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::max_pool2d_backward<decltype(zero)>(op); });
  }
  void avg_pool2d_forward(const AvgPool2dForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::avg_pool2d_forward<decltype(zero)>(op); });
  }
  void avg_pool2d_backward(const AvgPool2dBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::avg_pool2d_backward<decltype(zero)>(op); });
  }
  void adaptive_avg_pool2d_forward(const AdaptiveAvgPool2dForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::adaptive_avg_pool2d_forward<decltype(zero)>(op); });
  }
  void adaptive_avg_pool2d_backward(const AdaptiveAvgPool2dBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::adaptive_avg_pool2d_backward<decltype(zero)>(op); });
  }
  void global_avg_pool_forward(const GlobalAvgPoolForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::global_avg_pool_forward<decltype(zero)>(op); });
  }
  void global_avg_pool_backward(const GlobalAvgPoolBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::global_avg_pool_backward<decltype(zero)>(op); });
  }
  void concat_forward(const ConcatForward& op, Workspace) override {
    in_dtype_of(op.y, [&](auto zero) { reference::concat_forward<decltype(zero)>(op); });
  }
  void split(const Split& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::split<decltype(zero)>(op); });
  }
  void flatten_forward(const FlattenForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::flatten_forward<decltype(zero)>(op); });
  }
  void flatten_backward(const FlattenBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::flatten_backward<decltype(zero)>(op); });
  }
  void add_forward(const AddForward& op, Workspace) override {
    in_dtype_of(op.a, [&](auto zero) { reference::add_forward<decltype(zero)>(op); });
  }
  void add_backward(const AddBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::add_backward<decltype(zero)>(op); });
  }
  void fill(const Fill& op, Workspace) override {
    in_floating_dtype_of(op.y, [&](auto zero) { reference::fill<decltype(zero)>(op); });
  }
  void cast(const Cast& op, Workspace) override {
    in_floating_dtype_of(op.x, [&](auto from) {
      in_floating_dtype_of(op.y, [&](auto to) { reference::cast<decltype(from), decltype(to)>(op); });
    });
  }
  void batch_norm_forward_training(const BatchNormForwardTraining& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::batch_norm_forward_training<decltype(zero)>(op); });
  }
  void batch_norm_forward_inference(const BatchNormForwardInference& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::batch_norm_forward_inference<decltype(zero)>(op); });
  }
  void batch_norm_backward(const BatchNormBackward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::batch_norm_backward<decltype(zero)>(op); });
  }
  void batch_norm_backward_inference(const BatchNormBackwardInference& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::batch_norm_backward_inference<decltype(zero)>(op); });
  }
  void fold_batch_norm(const FoldBatchNorm& op, Workspace) override {
    in_dtype_of(op.w, [&](auto zero) { reference::fold_batch_norm<decltype(zero)>(op); });
  }
  void local_response_norm_forward(const LocalResponseNormForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::local_response_norm_forward<decltype(zero)>(op); });
  }
  void local_response_norm_backward(const LocalResponseNormBackward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::local_response_norm_backward<decltype(zero)>(op); });
  }
  void dropout_forward(const DropoutForward& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::dropout_forward<decltype(zero)>(op); });
  }
  void dropout_backward(const DropoutBackward& op, Workspace) override {
    in_dtype_of(op.dy, [&](auto zero) { reference::dropout_backward<decltype(zero)>(op); });
  }
  void softmax_cross_entropy(const SoftmaxCrossEntropy& op, Workspace) override {
    in_dtype_of(op.logits, [&](auto zero) { reference::softmax_cross_entropy<decltype(zero)>(op); });
  }
  void sgd_step(const SgdStep& op, Workspace) override {
    in_dtype_of(op.w, [&](auto zero) { reference::sgd_step<decltype(zero)>(op); });
  }
  void adam_step(const AdamStep& op, Workspace) override {
    in_dtype_of(op.w, [&](auto zero) { reference::adam_step<decltype(zero)>(op); });
  }
  void clip_factor(const ClipFactor& op, Workspace) override {
    in_dtype_of(op.g, [&](auto zero) { reference::clip_factor<decltype(zero)>(op); });
  }
  void ema_update(const EmaUpdate& op, Workspace) override {
    in_dtype_of(op.w, [&](auto zero) { reference::ema_update<decltype(zero)>(op); });
  }
  void segment_norms(const SegmentNorms& op, Workspace) override {
    in_dtype_of(op.x, [&](auto zero) { reference::segment_norms<decltype(zero)>(op); });
  }

 private:
  /// Of nothing, from or to nowhere, too: std::memcpy would not allow that.
  static void copy(void* to, const void* from, std::size_t bytes) {
    std::copy_n(static_cast<const std::byte*>(from), bytes, static_cast<std::byte*>(to));
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace minception
