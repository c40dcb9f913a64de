#include <minception/core/error.h>
#include <minception/kernels/backend.h>

#include <chrono>

namespace minception {

Requirements Backend::plan(const Operation& operation) {
  validate(operation);
  return requirements(operation);
}

void Backend::run(const Operation& operation, Workspace workspace) {
  struct Dispatch {
    Backend& backend;
    Workspace workspace;
    void operator()(const LoadBatch& op) { backend.load_batch(op, workspace); }
    void operator()(const Conv2dForward& op) { backend.conv2d_forward(op, workspace); }
    void operator()(const Conv2dBackwardData& op) { backend.conv2d_backward_data(op, workspace); }
    void operator()(const Conv2dBackwardWeights& op) { backend.conv2d_backward_weights(op, workspace); }
    void operator()(const Conv2d1x1GroupForward& op) { backend.conv2d_1x1_group_forward(op, workspace); }
    void operator()(const Conv2d1x1GroupBackwardData& op) { backend.conv2d_1x1_group_backward_data(op, workspace); }
    void operator()(const Conv2d1x1GroupBackwardWeights& op) {
      backend.conv2d_1x1_group_backward_weights(op, workspace);
    }
    void operator()(const LinearForward& op) { backend.linear_forward(op, workspace); }
    void operator()(const LinearBackwardData& op) { backend.linear_backward_data(op, workspace); }
    void operator()(const LinearBackwardWeights& op) { backend.linear_backward_weights(op, workspace); }
    void operator()(const ReluForward& op) { backend.relu_forward(op, workspace); }
    void operator()(const ReluBackward& op) { backend.relu_backward(op, workspace); }
    void operator()(const MaxPool2dForward& op) { backend.max_pool2d_forward(op, workspace); }
    void operator()(const MaxPool2dBackward& op) { backend.max_pool2d_backward(op, workspace); }
    void operator()(const AvgPool2dForward& op) { backend.avg_pool2d_forward(op, workspace); }
    void operator()(const AvgPool2dBackward& op) { backend.avg_pool2d_backward(op, workspace); }
    void operator()(const AdaptiveAvgPool2dForward& op) { backend.adaptive_avg_pool2d_forward(op, workspace); }
    void operator()(const AdaptiveAvgPool2dBackward& op) { backend.adaptive_avg_pool2d_backward(op, workspace); }
    void operator()(const GlobalAvgPoolForward& op) { backend.global_avg_pool_forward(op, workspace); }
    void operator()(const GlobalAvgPoolBackward& op) { backend.global_avg_pool_backward(op, workspace); }
    void operator()(const ConcatForward& op) { backend.concat_forward(op, workspace); }
    void operator()(const Split& op) { backend.split(op, workspace); }
    void operator()(const FlattenForward& op) { backend.flatten_forward(op, workspace); }
    void operator()(const FlattenBackward& op) { backend.flatten_backward(op, workspace); }
    void operator()(const AddForward& op) { backend.add_forward(op, workspace); }
    void operator()(const AddBackward& op) { backend.add_backward(op, workspace); }
    void operator()(const Fill& op) { backend.fill(op, workspace); }
    void operator()(const Cast& op) { backend.cast(op, workspace); }
    void operator()(const BatchNormForwardTraining& op) { backend.batch_norm_forward_training(op, workspace); }
    void operator()(const BatchNormForwardInference& op) { backend.batch_norm_forward_inference(op, workspace); }
    void operator()(const BatchNormBackward& op) { backend.batch_norm_backward(op, workspace); }
    void operator()(const BatchNormBackwardInference& op) { backend.batch_norm_backward_inference(op, workspace); }
    void operator()(const FoldBatchNorm& op) {
      if (op.refresh_packed) backend.fold_batch_norm(op, workspace);
    }
    void operator()(const LocalResponseNormForward& op) { backend.local_response_norm_forward(op, workspace); }
    void operator()(const LocalResponseNormBackward& op) { backend.local_response_norm_backward(op, workspace); }
    void operator()(const DropoutForward& op) { backend.dropout_forward(op, workspace); }
    void operator()(const DropoutBackward& op) { backend.dropout_backward(op, workspace); }
    void operator()(const SoftmaxCrossEntropy& op) { backend.softmax_cross_entropy(op, workspace); }
    void operator()(const SgdStep& op) { backend.sgd_step(op, workspace); }
    void operator()(const AdamStep& op) { backend.adam_step(op, workspace); }
    void operator()(const ClipFactor& op) { backend.clip_factor(op, workspace); }
    void operator()(const EmaUpdate& op) { backend.ema_update(op, workspace); }
    void operator()(const SegmentNorms& op) { backend.segment_norms(op, workspace); }
  };
  validate(operation);
  if (device().kind == DeviceKind::cpu) validate_values(operation);
  std::visit(Dispatch{*this, workspace}, operation);
}

std::vector<OperationTime> Backend::run_timed(std::span<const Operation> operations,
                                              std::span<const Workspace> workspaces) {
  using Clock = std::chrono::steady_clock;
  require(operations.size() == workspaces.size(), operations.size(), " operations with ", workspaces.size(),
          " workspaces");
  std::vector<OperationTime> times(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const auto start = Clock::now();
    run(operations[i], workspaces[i]);
    times[i].seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return times;
}

std::unique_ptr<Backend> make_backend(std::string_view name) {
  if (name == "cpu") return make_cpu_backend();
  if (name == "cuda") return make_cuda_backend();
  if (name == "reference") return make_reference_backend();
  fail("unknown device '", name, "': known are cpu, cuda and reference");
}

}  // namespace minception
