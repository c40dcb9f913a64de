/// Batch normalisation through cuDNN. Like our kernels it uses the unbiased running variance and saves the mean and
/// rstd = 1 / sqrt(var + epsilon). These calls have no ReLU: our kernel applies it in place afterwards.

#include "kernels/vendor/handles.h"

namespace minception {

using namespace vendor;

void VendorBackend::walk(const BatchNormForwardTraining& op, Walk& walk) {
  // The unbiased variance of one value is 0 / 0. Our kernel then leaves `running_var` unchanged.
  if (op.x.pixels() == 1) {
    const Workspace workspace = ours(op, walk);
    if (walk.works) CudaBackend::batch_norm_forward_training(op, workspace);
    return;
  }
  const Tensor x = dense(op.x, walk);
  const Tensor y = result(op.y, walk);
  if (!walk.works) return;
  const TensorDescriptor image = describe(x), channels = describe_channels(x.c(), DType::f32);
  check(libraries().cudnnBatchNormalizationForwardTraining(
            handles_->cudnn, CUDNN_BATCHNORM_SPATIAL, &kOne, &kZero, image.get(), x.data, image.get(), y.data,
            channels.get(), op.gamma.data, op.beta.data, op.attributes.momentum, op.running_mean.data,
            op.running_var.data, op.attributes.epsilon, op.mean.data, op.rstd.data),
        "batch_norm_forward_training");
  if (op.attributes.relu) CudaBackend::relu_forward({.x = y, .y = y}, {});
  finish(y, op.y, walk);
}

void VendorBackend::walk(const BatchNormForwardInference& op, Walk& walk) {
  const Tensor x = dense(op.x, walk);
  const Tensor y = result(op.y, walk);
  if (!walk.works) return;
  const TensorDescriptor image = describe(x), channels = describe_channels(x.c(), DType::f32);
  check(libraries().cudnnBatchNormalizationForwardInference(handles_->cudnn, CUDNN_BATCHNORM_SPATIAL, &kOne, &kZero,
                                                            image.get(), x.data, image.get(), y.data, channels.get(),
                                                            op.gamma.data, op.beta.data, op.running_mean.data,
                                                            op.running_var.data, op.attributes.epsilon),
        "batch_norm_forward_inference");
  if (op.attributes.relu) CudaBackend::relu_forward({.x = y, .y = y}, {});
  finish(y, op.y, walk);
}

void VendorBackend::walk(const BatchNormBackward& op, Walk& walk) {
  // cuDNN requires dx.
  if (!op.target.dx.defined()) {
    const Workspace workspace = ours(op, walk);
    if (walk.works) CudaBackend::batch_norm_backward(op, workspace);
    return;
  }
  const Tensor x = dense(op.x, walk);
  const Tensor dy = dense(op.dy, walk);
  const GradientBuffer dx = result(op.target, walk);
  if (!walk.works) return;
  const TensorDescriptor image = describe(x), channels = describe_channels(x.c(), DType::f32);
  // cuDNN uses the saved rstd and not epsilon: any valid value will do.
  const float parameters_beta = op.accumulate ? 1.0f : 0.0f;
  check(libraries().cudnnBatchNormalizationBackward(
            handles_->cudnn, CUDNN_BATCHNORM_SPATIAL, &kOne, &dx.beta, &kOne, &parameters_beta, image.get(), x.data,
            image.get(), dy.data, image.get(), dx.dx.data, channels.get(), op.gamma.data, op.dgamma.data, op.dbeta.data,
            BatchNormAttributes{}.epsilon, op.mean.data, op.rstd.data),
        "batch_norm_backward");
  finish(dx, op.target, walk);
}

void VendorBackend::batch_norm_forward_training(const BatchNormForwardTraining& op, Workspace workspace) {
  work(op, workspace);
}
void VendorBackend::batch_norm_forward_inference(const BatchNormForwardInference& op, Workspace workspace) {
  work(op, workspace);
}
void VendorBackend::batch_norm_backward(const BatchNormBackward& op, Workspace workspace) { work(op, workspace); }

}  // namespace minception
