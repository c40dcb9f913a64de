#pragma once
/// A backend that hands every operation to a function.

#include <minception/kernels/backend.h>

#include <functional>
#include <memory>
#include <utility>

namespace minception {

class ForwardingBackend final : public Backend {
 public:
  using CarryOut = std::function<void(const Operation&, Backend& inner)>;

  ForwardingBackend(std::unique_ptr<Backend> inner, CarryOut carry_out)
      : inner_(std::move(inner)), carry_out_(std::move(carry_out)) {}

  std::string_view name() const override { return inner_->name(); }
  std::string description() const override { return inner_->description(); }
  Device device() const override { return inner_->device(); }
  Buffer allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
  std::size_t available_memory() const override { return inner_->available_memory(); }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    inner_->copy_to_device(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    inner_->copy_to_host(host, device, bytes);
  }
  void fill_zero(void* device, std::size_t bytes) override { inner_->fill_zero(device, bytes); }
  void synchronize() override { inner_->synchronize(); }

  void load_batch(const LoadBatch& op, Workspace) override { carry_out_(op, *inner_); }
  void conv2d_forward(const Conv2dForward& op, Workspace) override { carry_out_(op, *inner_); }
  void conv2d_backward_data(const Conv2dBackwardData& op, Workspace) override { carry_out_(op, *inner_); }
  void conv2d_backward_weights(const Conv2dBackwardWeights& op, Workspace) override { carry_out_(op, *inner_); }
  void conv2d_1x1_group_forward(const Conv2d1x1GroupForward& op, Workspace) override { carry_out_(op, *inner_); }
  void conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData& op, Workspace) override {
    carry_out_(op, *inner_);
  }
  void conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights& op, Workspace) override {
    carry_out_(op, *inner_);
  }
  void linear_forward(const LinearForward& op, Workspace) override { carry_out_(op, *inner_); }
  void linear_backward_data(const LinearBackwardData& op, Workspace) override { carry_out_(op, *inner_); }
  void linear_backward_weights(const LinearBackwardWeights& op, Workspace) override { carry_out_(op, *inner_); }
  void relu_forward(const ReluForward& op, Workspace) override { carry_out_(op, *inner_); }
  void relu_backward(const ReluBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void max_pool2d_forward(const MaxPool2dForward& op, Workspace) override { carry_out_(op, *inner_); }
  void max_pool2d_backward(const MaxPool2dBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void avg_pool2d_forward(const AvgPool2dForward& op, Workspace) override { carry_out_(op, *inner_); }
  void avg_pool2d_backward(const AvgPool2dBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void adaptive_avg_pool2d_forward(const AdaptiveAvgPool2dForward& op, Workspace) override { carry_out_(op, *inner_); }
  void adaptive_avg_pool2d_backward(const AdaptiveAvgPool2dBackward& op, Workspace) override {
    carry_out_(op, *inner_);
  }
  void global_avg_pool_forward(const GlobalAvgPoolForward& op, Workspace) override { carry_out_(op, *inner_); }
  void global_avg_pool_backward(const GlobalAvgPoolBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void concat_forward(const ConcatForward& op, Workspace) override { carry_out_(op, *inner_); }
  void split(const Split& op, Workspace) override { carry_out_(op, *inner_); }
  void flatten_forward(const FlattenForward& op, Workspace) override { carry_out_(op, *inner_); }
  void flatten_backward(const FlattenBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void add_forward(const AddForward& op, Workspace) override { carry_out_(op, *inner_); }
  void add_backward(const AddBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void fill(const Fill& op, Workspace) override { carry_out_(op, *inner_); }
  void cast(const Cast& op, Workspace) override { carry_out_(op, *inner_); }
  void batch_norm_forward_training(const BatchNormForwardTraining& op, Workspace) override { carry_out_(op, *inner_); }
  void batch_norm_forward_inference(const BatchNormForwardInference& op, Workspace) override {
    carry_out_(op, *inner_);
  }
  void batch_norm_backward(const BatchNormBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void batch_norm_backward_inference(const BatchNormBackwardInference& op, Workspace) override {
    carry_out_(op, *inner_);
  }
  void fold_batch_norm(const FoldBatchNorm& op, Workspace) override { carry_out_(op, *inner_); }
  void local_response_norm_forward(const LocalResponseNormForward& op, Workspace) override { carry_out_(op, *inner_); }
  void local_response_norm_backward(const LocalResponseNormBackward& op, Workspace) override {
    carry_out_(op, *inner_);
  }
  void dropout_forward(const DropoutForward& op, Workspace) override { carry_out_(op, *inner_); }
  void dropout_backward(const DropoutBackward& op, Workspace) override { carry_out_(op, *inner_); }
  void softmax_cross_entropy(const SoftmaxCrossEntropy& op, Workspace) override { carry_out_(op, *inner_); }
  void sgd_step(const SgdStep& op, Workspace) override { carry_out_(op, *inner_); }
  void adam_step(const AdamStep& op, Workspace) override { carry_out_(op, *inner_); }
  void clip_factor(const ClipFactor& op, Workspace) override { carry_out_(op, *inner_); }
  void ema_update(const EmaUpdate& op, Workspace) override { carry_out_(op, *inner_); }
  void segment_norms(const SegmentNorms& op, Workspace) override { carry_out_(op, *inner_); }

 private:
  std::unique_ptr<Backend> inner_;
  CarryOut carry_out_;
};

}  // namespace minception
