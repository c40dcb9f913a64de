#pragma once
/// The vendor backend: the operations of the cuda backend through NVIDIA's libraries, as a yardstick for our kernels and as
/// a second opinion. What a library does not have stays with our kernels:
///
/// | operation                                | whose                                                                    |
/// | ---                                      | ---                                                                      |
/// | conv2d_*                                 | cuDNN; bias and ReLU fused by cuDNN where it can                         |
/// | conv2d_1x1_group_*, linear_*             | cuBLAS, a GEMM per member; biases and their gradients: see products.cpp  |
/// | avg_pool2d_*, global_avg_pool_*          | cuDNN, but for rounded-up output extents                                 |
/// | max_pool2d_*                             | cuDNN for inference; it keeps no argmax, so training's are ours          |
/// | batch_norm_*                             | cuDNN, but for batches of a single value per channel                     |
/// | softmax_cross_entropy                    | cuDNN's log-softmax, then a kernel of ours for loss and gradient         |
/// | everything else                          | ours                                                                     |
///
/// cuDNN's convolutions know no GradTarget and want dense tensors of one dtype. So channel slices and f32 master weights
/// (with bf16) go through dense stand-ins in the workspace, written by our cast and split kernels, as PyTorch's do.
///
/// Convolutions use cuDNN's function interface (cudnnConvolutionForward and its like): its heuristics pick from the same
/// engines as those of the graph interface, and an operation stays one call. Only deterministic algorithms are taken,
/// so that a run gives the same bits again, unless VendorOptions says otherwise.

#include <minception/kernels/cpu/scratch.h>
#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/vendor/libraries.h>

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
  void conv2d_1x1_group_forward(const Conv2d1x1GroupForward&, Workspace) override;
  void conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData&, Workspace) override;
  void conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights&, Workspace) override;
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
  struct Handles;      // of the libraries, and the convolutions planned so far
  struct Convolution;  // one of them
  enum class Pass : std::uint8_t { forward, backward_data, backward_weights };

  /// Walks through an operation: with a workspace it does the work, without it counts what workspace the work needs.
  struct Walk {
    cpu::Scratch scratch;
    bool works = false;
  };

  void walk(const Conv2dForward&, Walk&);
  void walk(const Conv2dBackwardData&, Walk&);
  void walk(const Conv2dBackwardWeights&, Walk&);
  void walk(const Conv2d1x1GroupForward&, Walk&);
  void walk(const Conv2d1x1GroupBackwardData&, Walk&);
  void walk(const Conv2d1x1GroupBackwardWeights&, Walk&);
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

  /// Does the work of an operation; and what it would need.
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

  /// The workspace of an operation that is left to our kernels.
  Workspace ours(const Operation& operation, Walk& walk);

  /// A dense tensor in the workspace.
  Tensor stand_in(const Shape& shape, DType dtype, Walk& walk) const;
  /// The tensor itself if it is dense and of that dtype, else a stand-in with its values.
  Tensor dense(const Tensor& tensor, DType dtype, Walk& walk);
  Tensor dense(const Tensor& tensor, Walk& walk) { return dense(tensor, tensor.dtype, walk); }
  /// Where a library puts a result that belongs to `y`: y itself if it is dense, else a stand-in that `finish` copies.
  Tensor result(const Tensor& y, Walk& walk) const { return y.dense() ? y : stand_in(y.shape, y.dtype, walk); }
  void finish(const Tensor& result, const Tensor& y, const Walk& walk);
  /// Likewise for gradients. The library adds to what is there with `beta` = 1; the ReLU mask comes after.
  struct GradientResult {
    Tensor dx;
    float beta = 0.0f;
  };
  GradientResult result(const GradTarget& target, Walk& walk) const;
  void finish(const GradientResult& result, const GradTarget& target, const Walk& walk);

  Convolution& convolution(Pass pass, const Conv2dAttributes& attributes, const Tensor& x, const Tensor& w,
                           const Tensor& y);
  void* take_bytes(std::size_t bytes, Walk& walk) const;

  /// C = alpha op(A) op(B) + beta C as cuBLAS has it (columns first): C is (m, n), op(A) is (m, k), op(B) is (k, n).
  void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const Tensor& a,
            std::int64_t lda, const Tensor& b, std::int64_t ldb, float beta, const Tensor& c, std::int64_t ldc);
  /// dbias (+)= the sums over the pixels of dy.
  void bias_gradient(const Tensor& dy, const Tensor& dbias, bool accumulate, Walk& walk);
  /// y = value + bias, then ReLU if asked. y may be value.
  void add_bias(const Tensor& value, const Tensor& bias, bool relu, const Tensor& y);

  void pool(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode, const Tensor& x, const Tensor& y, Walk& walk);
  void average_backward(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode, const Tensor& dy,
                        const GradTarget& target, Walk& walk);

  VendorOptions options_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace minception
