#pragma once
/// The vendor backend: the operations of the cuda backend through NVIDIA's libraries, as a baseline for the speed and
/// the results of our kernels. Operations that no library supports use our kernels:
///
/// | operation                              | implementation                                                          |
/// | ---                                    | ---                                                                     |
/// | conv2d_*                               | cuDNN; bias and ReLU fused by cuDNN where it supports that              |
/// | conv2d_fused_1x1_*, linear_*           | cuBLAS, a GEMM per member; biases and their gradients: see products.cpp |
/// | avg_pool2d_*, global_avg_pool_*        | cuDNN; ours for rounded-up output extents                               |
/// | max_pool2d_*                           | cuDNN for inference; ours for training, as cuDNN stores no argmax       |
/// | batch_norm_*                           | cuDNN; ours for one value per channel and for backward_inference        |
/// | softmax_cross_entropy                  | cuDNN's log-softmax, then our kernel for loss and gradient              |
/// | everything else                        | ours                                                                    |
///
/// cuDNN's convolutions do not support GradTarget and require dense tensors of one dtype. Channel slices and, with
/// bf16, f32 master weights therefore go through dense stand-ins in the workspace, filled by our cast and split
/// kernels, as in PyTorch.
///
/// Convolutions use cuDNN's legacy API (cudnnConvolutionForward etc.): its heuristics choose from the same engines as
/// the graph API, and an operation is one call. Only deterministic algorithms are used, so that results are
/// reproducible bit for bit, unless VendorOptions::deterministic is false.

#include "kernels/cpu/scratch.h"
#include "kernels/cuda/backend.h"
#include "kernels/vendor/libraries.h"

#include <memory>
#include <string>

namespace minception {

class VendorBackend final : public CudaBackend {
 public:
  explicit VendorBackend(const VendorOptions& options = {});
  ~VendorBackend() override;

  std::string_view name() const override { return "vendor"; }
  std::string description() const override;

  void conv2d_forward(const Conv2dForward&, Workspace) override;
  void conv2d_backward_data(const Conv2dBackwardData&, Workspace) override;
  void conv2d_backward_weights(const Conv2dBackwardWeights&, Workspace) override;
  void conv2d_fused_1x1_forward(const Conv2dFused1x1Forward&, Workspace) override;
  void conv2d_fused_1x1_backward_data(const Conv2dFused1x1BackwardData&, Workspace) override;
  void conv2d_fused_1x1_backward_weights(const Conv2dFused1x1BackwardWeights&, Workspace) override;
  void linear_forward(const LinearForward&, Workspace) override;
  void linear_backward_data(const LinearBackwardData&, Workspace) override;
  void linear_backward_weights(const LinearBackwardWeights&, Workspace) override;
  void max_pool2d_forward(const MaxPool2dForward&, Workspace) override;
  void avg_pool2d_forward(const AvgPool2dForward&, Workspace) override;
  void avg_pool2d_backward(const AvgPool2dBackward&, Workspace) override;
  void global_avg_pool_forward(const GlobalAvgPoolForward&, Workspace) override;
  void global_avg_pool_backward(const GlobalAvgPoolBackward&, Workspace) override;
  void batch_norm_forward_training(const BatchNormForwardTraining&, Workspace) override;
  void batch_norm_forward_inference(const BatchNormForwardInference&, Workspace) override;
  void batch_norm_backward(const BatchNormBackward&, Workspace) override;
  void softmax_cross_entropy(const SoftmaxCrossEntropy&, Workspace) override;

 protected:
  Requirements requirements(const Operation& operation) override;

 private:
  struct Handles;      // of the libraries, and cached convolution plans
  struct Convolution;  // a cached plan
  enum class Pass : std::uint8_t { forward, backward_data, backward_weights };

  /// One pass over an operation: runs it if `works`, else only counts the workspace that it takes from `scratch`.
  struct Walk {
    cpu::Scratch scratch;
    bool works = false;
  };

  void walk(const Conv2dForward&, Walk&);
  void walk(const Conv2dBackwardData&, Walk&);
  void walk(const Conv2dBackwardWeights&, Walk&);
  void walk(const Conv2dFused1x1Forward&, Walk&);
  void walk(const Conv2dFused1x1BackwardData&, Walk&);
  void walk(const Conv2dFused1x1BackwardWeights&, Walk&);
  void walk(const LinearForward&, Walk&);
  void walk(const LinearBackwardData&, Walk&);
  void walk(const LinearBackwardWeights&, Walk&);
  void walk(const MaxPool2dForward&, Walk&);
  void walk(const AvgPool2dForward&, Walk&);
  void walk(const AvgPool2dBackward&, Walk&);
  void walk(const GlobalAvgPoolForward&, Walk&);
  void walk(const GlobalAvgPoolBackward&, Walk&);
  void walk(const BatchNormForwardTraining&, Walk&);
  void walk(const BatchNormForwardInference&, Walk&);
  void walk(const BatchNormBackward&, Walk&);
  void walk(const SoftmaxCrossEntropy&, Walk&);

  /// `work` runs an operation; `needs` returns its requirements.
  template <class Op>
  void work(const Op& op, Workspace workspace) {
    Walk run{cpu::Scratch(workspace), true};
    walk(op, run);
  }
  template <class Op>
  Requirements needs(const Op& op) {
    if constexpr (requires(Walk & plan) { this->walk(op, plan); }) {
      Walk plan;
      walk(op, plan);
      return {.workspace = plan.scratch.taken()};
    } else {
      return CudaBackend::requirements(op);
    }
  }

  /// Workspace for an operation that our kernels run.
  Workspace ours(const Operation& operation, Walk& walk);

  /// A dense tensor in the workspace.
  Tensor stand_in(const Shape& shape, DType dtype, Walk& walk) const;
  /// The tensor itself if it is dense and of that dtype, else a stand-in with its values.
  Tensor dense(const Tensor& tensor, DType dtype, Walk& walk);
  Tensor dense(const Tensor& tensor, Walk& walk) { return dense(tensor, tensor.dtype, walk); }
  /// Destination of a library call that computes `y`: y itself if it is dense, else a stand-in that `finish` copies to
  /// y.
  Tensor result(const Tensor& y, Walk& walk) const { return y.dense() ? y : stand_in(y.shape, y.dtype, walk); }
  void finish(const Tensor& result, const Tensor& y, const Walk& walk);
  /// The same for gradients. The library accumulates onto dx with `beta` = 1; `finish` applies the ReLU mask.
  struct GradientBuffer {
    Tensor dx;
    float beta = 0.0f;
  };
  GradientBuffer result(const GradTarget& target, Walk& walk) const;
  void finish(const GradientBuffer& result, const GradTarget& target, const Walk& walk);

  Convolution& convolution(Pass pass, const Conv2dAttributes& attributes, const Tensor& x, const Tensor& w,
                           const Tensor& y);
  void* take_bytes(std::size_t bytes, Walk& walk) const;

  /// C = op(A) op(B) + beta C in column-major order: C is (m, n), op(A) is (m, k), op(B) is (k, n).
  void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const Tensor& a,
            std::int64_t lda, const Tensor& b, std::int64_t ldb, float beta, const Tensor& c, std::int64_t ldc);
  /// dbias (+)= sums of dy over the pixels.
  void bias_gradient(const Tensor& dy, const Tensor& dbias, bool accumulate, Walk& walk);
  /// y = value + bias, then ReLU if `relu`. y may be value.
  void add_bias(const Tensor& value, const Tensor& bias, bool relu, const Tensor& y);

  void pool(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode, const Tensor& x, const Tensor& y, Walk& walk);
  void average_backward(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode, const Tensor& dy,
                        const GradTarget& target, Walk& walk);

  VendorOptions options_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace minception
