#pragma once
/// The cpu backend: oneDNN for matrix products and convolutions, OpenMP for everything else.

#include <minception/kernels/backend.h>
#include <minception/kernels/cpu/onednn.h>
#include <minception/kernels/cpu/scratch.h>

#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// Computes in f32, and with AVX-512 in bf16: tensors and the factors of products are bf16 then, sums and everything in
/// master dtype f32. The thread count is fixed when the backend is made and is part of what "the same bits"
/// means. A backend is used by one thread at a time.
class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads);

  std::string_view name() const override { return "cpu"; }
  std::string description() const override;
  Device device() const override { return {}; }
  /// One line per convolution that oneDNN was asked for: "conv2d_forward <shape>: jit:avx512_core", or "none"
  /// where it has nothing better than its reference loops and matrix products serve instead.
  std::vector<std::string> implementations() const { return onednn_.implementations(); }

  Buffer allocate(std::size_t bytes) override;
  std::size_t available_memory() const override;
  void copy_to_device(void* device, const void* host, std::size_t bytes) override;
  void copy_to_host(void* host, const void* device, std::size_t bytes) override;
  void fill_zero(void* device, std::size_t bytes) override;
  void synchronize() override {}

  void load_batch(const LoadBatch&, Workspace) override;
  void conv2d_forward(const Conv2dForward&, Workspace) override;
  void conv2d_backward_data(const Conv2dBackwardData&, Workspace) override;
  void conv2d_backward_weights(const Conv2dBackwardWeights&, Workspace) override;
  void conv2d_1x1_group_forward(const Conv2d1x1GroupForward&, Workspace) override;
  void conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData&, Workspace) override;
  void conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights&, Workspace) override;
  void linear_forward(const LinearForward&, Workspace) override;
  void linear_backward_data(const LinearBackwardData&, Workspace) override;
  void linear_backward_weights(const LinearBackwardWeights&, Workspace) override;
  void relu_forward(const ReluForward&, Workspace) override;
  void relu_backward(const ReluBackward&, Workspace) override;
  void max_pool2d_forward(const MaxPool2dForward&, Workspace) override;
  void max_pool2d_backward(const MaxPool2dBackward&, Workspace) override;
  void avg_pool2d_forward(const AvgPool2dForward&, Workspace) override;
  void avg_pool2d_backward(const AvgPool2dBackward&, Workspace) override;
  void adaptive_avg_pool2d_forward(const AdaptiveAvgPool2dForward&, Workspace) override;
  void adaptive_avg_pool2d_backward(const AdaptiveAvgPool2dBackward&, Workspace) override;
  void global_avg_pool_forward(const GlobalAvgPoolForward&, Workspace) override;
  void global_avg_pool_backward(const GlobalAvgPoolBackward&, Workspace) override;
  void concat_forward(const ConcatForward&, Workspace) override;
  void split(const Split&, Workspace) override;
  void flatten_forward(const FlattenForward&, Workspace) override;
  void flatten_backward(const FlattenBackward&, Workspace) override;
  void add_forward(const AddForward&, Workspace) override;
  void add_backward(const AddBackward&, Workspace) override;
  void fill(const Fill&, Workspace) override;
  void cast(const Cast&, Workspace) override;
  void batch_norm_forward_training(const BatchNormForwardTraining&, Workspace) override;
  void batch_norm_forward_inference(const BatchNormForwardInference&, Workspace) override;
  void batch_norm_backward(const BatchNormBackward&, Workspace) override;
  void batch_norm_backward_inference(const BatchNormBackwardInference&, Workspace) override;
  void fold_batch_norm(const FoldBatchNorm&, Workspace) override;
  void local_response_norm_forward(const LocalResponseNormForward&, Workspace) override;
  void local_response_norm_backward(const LocalResponseNormBackward&, Workspace) override;
  void dropout_forward(const DropoutForward&, Workspace) override;
  void dropout_backward(const DropoutBackward&, Workspace) override;
  void softmax_cross_entropy(const SoftmaxCrossEntropy&, Workspace) override;
  void sgd_step(const SgdStep&, Workspace) override;
  void adam_step(const AdamStep&, Workspace) override;
  void clip_factor(const ClipFactor&, Workspace) override;
  void ema_update(const EmaUpdate&, Workspace) override;
  void segment_norms(const SegmentNorms&, Workspace) override;

 protected:
  Requirements requirements(const Operation& operation) override;

 private:
  // What the operations need that need anything; each beside its operation. The others meet the template.
  Requirements needs(const Conv2dForward&);
  Requirements needs(const Conv2dBackwardData&);
  Requirements needs(const Conv2dBackwardWeights&);
  Requirements needs(const Conv2d1x1GroupForward&);
  Requirements needs(const Conv2d1x1GroupBackwardData&);
  Requirements needs(const Conv2d1x1GroupBackwardWeights&);
  Requirements needs(const LinearForward&);
  Requirements needs(const LinearBackwardData&);
  Requirements needs(const LinearBackwardWeights&);
  Requirements needs(const BatchNormForwardTraining&);
  Requirements needs(const BatchNormForwardInference&);
  Requirements needs(const BatchNormBackward&);
  Requirements needs(const BatchNormBackwardInference&);
  Requirements needs(const LocalResponseNormForward&);
  Requirements needs(const LocalResponseNormBackward&);
  Requirements needs(const SoftmaxCrossEntropy&);
  Requirements needs(const ClipFactor&);
  Requirements needs(const SegmentNorms&);
  template <class Other>
  Requirements needs(const Other&) {
    return {};
  }

  // 1x1 convolutions and fully connected layers: matrix products over the pixels (conv2d_1x1_group.cpp).
  struct Pointwise {
    const Tensor &x, &w, &bias;
    bool relu;
    const Tensor* y;
    std::size_t members;
  };
  void pointwise_forward(const Pointwise& op, const Tensor& packed, bool refresh_packed, cpu::Scratch scratch);
  void pointwise_backward_data(const Tensor* dy, std::size_t members, const Tensor& w, const GradTarget& target,
                               cpu::Scratch scratch);
  void pointwise_backward_weights(const Tensor& x, const Tensor* dy, std::size_t members, const Tensor& dw,
                                  const Tensor& dbias, bool accumulate, cpu::Scratch scratch);
  Requirements pointwise_needs(const Pointwise& op, const Tensor& packed) const;
  Requirements pointwise_backward_data_needs(const Tensor& w, const Tensor& dx) const;
  Requirements pointwise_backward_weights_needs(const Tensor* dy, std::size_t members, const Tensor& dbias) const;

  // Convolutions of images so small that most taps of the filter see nothing but padding
  // (conv2d_small_image.cpp).
  void small_image_forward(const Conv2dForward&, cpu::Scratch scratch);
  void small_image_backward_data(const Conv2dBackwardData&, cpu::Scratch scratch);
  void small_image_backward_weights(const Conv2dBackwardWeights&, cpu::Scratch scratch);
  Requirements small_image_needs(const Conv2dForward&) const;
  Requirements small_image_needs(const Conv2dBackwardData&) const;

  // 3x3 convolutions in tiles (conv2d_winograd.cpp).
  void winograd_forward(const Conv2dForward&, cpu::Scratch scratch);
  void winograd_backward_data(const Conv2dBackwardData&, cpu::Scratch scratch);
  void winograd_backward_weights(const Conv2dBackwardWeights&, cpu::Scratch scratch);
  Requirements winograd_needs(const Conv2dForward&) const;
  Requirements winograd_needs(const Conv2dBackwardData&) const;
  Requirements winograd_needs(const Conv2dBackwardWeights&) const;

  int threads_;
  cpu::OneDnn onednn_;
};

}  // namespace minception
