/// Convolutions through cuDNN.

#include "core/error.h"
#include "kernels/vendor/handles.h"

#include <type_traits>
#include <vector>

namespace minception {

using namespace vendor;

namespace {

/// Largest workspace of a convolution; algorithms that need more are skipped.
constexpr std::size_t kMostWorkspace = std::size_t{512} << 20;

/// Returns the first usable proposal of cuDNN, which sorts them by time: measured with `search`, else estimated.
/// Without `search` only deterministic algorithms are used.
template <class Performance, class Get, class Find>
Performance choose(bool search, const Get& get, const Find& find) {
  constexpr int kMost = 16;
  std::vector<Performance> proposals(kMost);
  int count = 0;
  if (search) {
    check(find(kMost, &count, proposals.data()), "timing the algorithms of a convolution");
  } else {
    check(get(kMost, &count, proposals.data()), "choosing the algorithm of a convolution");
  }
  for (int i = 0; i < count; ++i) {
    const Performance& proposal = proposals[static_cast<std::size_t>(i)];
    const bool same_bits = proposal.determinism == CUDNN_DETERMINISTIC;
    if (proposal.status == CUDNN_STATUS_SUCCESS && (search || same_bits) && proposal.memory <= kMostWorkspace) {
      return proposal;
    }
  }
  fail("cuDNN has no deterministic algorithm for this convolution; omit ", Setting{"kernels", "vendor"});
}

}  // namespace

VendorBackend::Convolution& VendorBackend::convolution(Pass pass, const Conv2dAttributes& attributes, const Tensor& x,
                                                       const Tensor& w, const Tensor& y) {
  const std::array<std::int64_t, 15> key = {static_cast<std::int64_t>(pass),
                                            static_cast<std::int64_t>(x.dtype),
                                            x.n(),
                                            x.c(),
                                            x.h(),
                                            x.w(),
                                            y.c(),
                                            y.h(),
                                            y.w(),
                                            w.h(),
                                            w.w(),
                                            attributes.stride.h,
                                            attributes.stride.w,
                                            attributes.padding.h,
                                            attributes.padding.w};
  const auto known = handles_->convolutions.find(key);
  if (known != handles_->convolutions.end()) return known->second;

  const vendor::Libraries& cudnn = libraries();
  const cudnnHandle_t handle = handles_->cudnn;
  Convolution plan = {.x = describe(x),
                      .y = describe(y),
                      .w = describe_filter(w, x.dtype),
                      .convolution = describe(attributes, x.dtype, options_.tf32)};
  const auto take = [&](const auto& choice) {
    plan.algorithm = choice.algo;
    plan.workspace = choice.memory;
    // Otherwise CUDNN_FMA_MATH, set by describe(), must remain.
    if (x.dtype == DType::bf16 || options_.tf32) {
      check(cudnn.cudnnSetConvolutionMathType(plan.convolution.get(), choice.mathType),
            "setting the math mode of a convolution");
    }
  };
  const cudnnTensorDescriptor_t in = plan.x.get(), out = plan.y.get();
  const cudnnFilterDescriptor_t filter = plan.w.get();
  const cudnnConvolutionDescriptor_t how = plan.convolution.get();
  const bool search = !options_.deterministic;
  switch (pass) {
    case Pass::forward:
      take(choose<cudnnConvolutionFwdAlgoPerf_t>(
          search,
          [&](int most, int* count, auto* found) {
            return cudnn.cudnnGetConvolutionForwardAlgorithm_v7(handle, in, filter, how, out, most, count, found);
          },
          [&](int most, int* count, auto* found) {
            return cudnn.cudnnFindConvolutionForwardAlgorithm(handle, in, filter, how, out, most, count, found);
          }));
      break;
    case Pass::backward_data:
      take(choose<cudnnConvolutionBwdDataAlgoPerf_t>(
          search,
          [&](int most, int* count, auto* found) {
            return cudnn.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, filter, out, how, in, most, count, found);
          },
          [&](int most, int* count, auto* found) {
            return cudnn.cudnnFindConvolutionBackwardDataAlgorithm(handle, filter, out, how, in, most, count, found);
          }));
      break;
    case Pass::backward_weights:
      take(choose<cudnnConvolutionBwdFilterAlgoPerf_t>(
          search,
          [&](int most, int* count, auto* found) {
            return cudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, in, out, how, filter, most, count,
                                                                       found);
          },
          [&](int most, int* count, auto* found) {
            return cudnn.cudnnFindConvolutionBackwardFilterAlgorithm(handle, in, out, how, filter, most, count, found);
          }));
      break;
  }
  return handles_->convolutions.emplace(key, std::move(plan)).first->second;
}

void VendorBackend::walk(const Conv2dForward& op, Walk& walk) {
  const Tensor x = dense(op.x, walk);
  const Tensor w = dense(op.w, op.x.dtype, walk);
  const bool fusable = op.bias.defined() && op.attributes.relu;
  const Tensor bias = fusable ? dense(op.bias, op.x.dtype, walk) : op.bias;
  const Tensor y = result(op.y, walk);
  Convolution& plan = convolution(Pass::forward, op.attributes, x, w, y);
  void* const workspace = take_bytes(plan.workspace, walk);
  if (!walk.works) return;

  const vendor::Libraries& cudnn = libraries();
  const auto algorithm = static_cast<cudnnConvolutionFwdAlgo_t>(plan.algorithm);
  if (fusable && plan.fuses_bias_and_relu) {
    const TensorDescriptor bias_descriptor = describe_channels(y.c(), bias.dtype);
    const ActivationDescriptor relu = describe_relu();
    const cudnnStatus_t status = cudnn.cudnnConvolutionBiasActivationForward(
        handles_->cudnn, &kOne, plan.x.get(), x.data, plan.w.get(), w.data, plan.convolution.get(), algorithm,
        workspace, plan.workspace, &kZero, plan.y.get(), y.data, bias_descriptor.get(), bias.data, relu.get(),
        plan.y.get(), y.data);
    if (status == CUDNN_STATUS_SUCCESS) return finish(y, op.y, walk);
    plan.fuses_bias_and_relu = false;
  }
  check(cudnn.cudnnConvolutionForward(handles_->cudnn, &kOne, plan.x.get(), x.data, plan.w.get(), w.data,
                                      plan.convolution.get(), algorithm, workspace, plan.workspace, &kZero,
                                      plan.y.get(), y.data),
        "conv2d_forward");
  if (op.bias.defined() || op.attributes.relu) {
    add_bias(y, op.bias, op.attributes.relu, op.y);  // writes a channel slice directly
  } else {
    finish(y, op.y, walk);
  }
}

void VendorBackend::walk(const Conv2dBackwardData& op, Walk& walk) {
  const Tensor dy = dense(op.dy, walk);
  const Tensor w = dense(op.w, op.dy.dtype, walk);
  const GradientBuffer dx = result(op.target, walk);
  const Convolution& plan = convolution(Pass::backward_data, op.attributes, dx.dx, w, dy);
  void* const workspace = take_bytes(plan.workspace, walk);
  if (!walk.works) return;
  check(libraries().cudnnConvolutionBackwardData(handles_->cudnn, &kOne, plan.w.get(), w.data, plan.y.get(), dy.data,
                                                 plan.convolution.get(),
                                                 static_cast<cudnnConvolutionBwdDataAlgo_t>(plan.algorithm), workspace,
                                                 plan.workspace, &dx.beta, plan.x.get(), dx.dx.data),
        "conv2d_backward_data");
  finish(dx, op.target, walk);
}

void VendorBackend::walk(const Conv2dBackwardWeights& op, Walk& walk) {
  const Tensor x = dense(op.x, walk);
  const Tensor dy = dense(op.dy, walk);
  // cuDNN writes dw in the dtype of x and dy: f32 accumulates in place, bf16 goes through a stand-in.
  const bool narrow = op.x.dtype != op.dw.dtype;
  const Tensor dw = narrow ? stand_in(op.dw.shape, op.x.dtype, walk) : op.dw;
  const Tensor widened = narrow && op.accumulate ? stand_in(op.dw.shape, op.dw.dtype, walk) : op.dw;
  const Convolution& plan = convolution(Pass::backward_weights, op.attributes, x, op.dw, dy);
  void* const workspace = take_bytes(plan.workspace, walk);
  if (walk.works) {
    const float beta = op.accumulate && !narrow ? 1.0f : 0.0f;
    check(libraries().cudnnConvolutionBackwardFilter(handles_->cudnn, &kOne, plan.x.get(), x.data, plan.y.get(),
                                                     dy.data, plan.convolution.get(),
                                                     static_cast<cudnnConvolutionBwdFilterAlgo_t>(plan.algorithm),
                                                     workspace, plan.workspace, &beta, plan.w.get(), dw.data),
          "conv2d_backward_weights");
    if (narrow) CudaBackend::cast({.x = dw, .y = widened}, {});
    if (narrow && op.accumulate) CudaBackend::add_forward({.a = op.dw, .b = widened, .y = op.dw}, {});
  }
  if (op.dbias.defined()) bias_gradient(op.dy, op.dbias, op.accumulate, walk);
}

void VendorBackend::conv2d_forward(const Conv2dForward& op, Workspace workspace) { work(op, workspace); }
void VendorBackend::conv2d_backward_data(const Conv2dBackwardData& op, Workspace workspace) { work(op, workspace); }
void VendorBackend::conv2d_backward_weights(const Conv2dBackwardWeights& op, Workspace workspace) {
  work(op, workspace);
}

}  // namespace minception
