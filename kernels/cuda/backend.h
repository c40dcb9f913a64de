#pragma once
/// The cuda backend: our kernels, on a GPU or emulated on the CPU (kernels/simt/). Each operation stands in the .cu file of
/// its name.

#include <minception/kernels/backend.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct CUstream_st;

namespace minception {

namespace cuda {
class StagingRing;
}

/// One stream of one GPU. Used by one thread at a time.
class CudaBackend : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options = {});
  ~CudaBackend() override;

  std::string_view name() const override { return "cuda"; }
  std::string description() const override;
  Device device() const override;
  const CudaOptions& options() const { return options_; }

  Buffer allocate(std::size_t bytes) override;
  std::size_t available_memory() const override;
  void copy_to_device(void* device, const void* host, std::size_t bytes) override;
  void copy_to_host(void* host, const void* device, std::size_t bytes) override;
  void fill_zero(void* device, std::size_t bytes) override;
  void upload(void* device, const void* host, std::size_t bytes) override;
  void synchronize() override;
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;
  std::vector<OperationTime> run_timed(std::span<const Operation> operations,
                                       std::span<const Workspace> workspaces) override;
  void begin_range(const char* name) override;
  void end_range() override;

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
  CUstream_st* stream() const { return stream_; }

 private:
  // What the operations need that need anything; each beside its operation. The others meet the template.
  Requirements needs(const Conv2dBackwardWeights&);
  Requirements needs(const Conv2d1x1GroupBackwardWeights&);
  Requirements needs(const LinearBackwardWeights&);
  Requirements needs(const BatchNormForwardTraining&);
  Requirements needs(const BatchNormBackward&);
  Requirements needs(const SoftmaxCrossEntropy&);
  Requirements needs(const ClipFactor&);
  Requirements needs(const SegmentNorms&);
  template <class Other>
  Requirements needs(const Other&) {
    return {};
  }

  CudaOptions options_;
  CUstream_st* stream_ = nullptr;
  std::unique_ptr<cuda::StagingRing> staging_;
};

}  // namespace minception
