#pragma once
/// The cpu backend: oneDNN for matrix products and convolutions, OpenMP for everything else.

#include "kernels/backend.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/scratch.h"

#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// Computes in f32 and, with AVX-512, in bf16: then tensors and the factors of products are bf16, sums and operands in
/// master dtype f32. The thread count is fixed at construction; results are bitwise reproducible for the same thread
/// count. Not thread-safe: use a backend from one thread at a time.
class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads);

  std::string_view name() const override { return "cpu"; }
  std::string description() const override;
  Device device() const override { return {}; }
  /// One line per convolution shape requested from oneDNN: "conv2d_forward <shape>: jit:avx512_core", or "none" if
  /// oneDNN has only its reference loops and matrix products are used instead.
  std::vector<std::string> implementations() const { return onednn_.implementations(); }

  Buffer allocate(std::size_t bytes) override;
  std::size_t available_memory() const override;
  void copy_to_device(void* device, const void* host, std::size_t bytes) override;
  void copy_to_host(void* host, const void* device, std::size_t bytes) override;
  void fill_zero(void* device, std::size_t bytes) override;
  void synchronize() override {}

  MINCEPTION_OPERATIONS(MINCEPTION_OVERRIDE_OPERATION)

 protected:
  Requirements requirements(const Operation& operation) override;

 private:
  // Memory requirements, each defined next to its operation; the template is for operations without any.
  Requirements needs(const Conv2dForward&);
  Requirements needs(const Conv2dBackwardData&);
  Requirements needs(const Conv2dBackwardWeights&);
  Requirements needs(const Conv2dFused1x1Forward&);
  Requirements needs(const Conv2dFused1x1BackwardData&);
  Requirements needs(const Conv2dFused1x1BackwardWeights&);
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
  Requirements needs(const ClipCoefficient&);
  Requirements needs(const GroupNorms&);
  template <class Other>
  Requirements needs(const Other&) {
    return {};
  }

  // 1x1 convolutions and fully connected layers as matrix products over the pixels (conv2d_fused_1x1.cpp).
  struct Pointwise {
    const Tensor &x, &w, &bias;
    bool relu;
    const Tensor* y;
    std::size_t members;
  };
  void pointwise_forward(const Pointwise& op, const Tensor& prepacked, bool refresh_prepacked, cpu::Scratch scratch);
  void pointwise_backward_data(const Tensor* dy, std::size_t members, const Tensor& w, const GradTarget& target,
                               cpu::Scratch scratch);
  void pointwise_backward_weights(const Tensor& x, const Tensor* dy, std::size_t members, const Tensor& dw,
                                  const Tensor& dbias, bool accumulate, cpu::Scratch scratch);
  Requirements pointwise_needs(const Pointwise& op, const Tensor& prepacked) const;
  Requirements pointwise_backward_data_needs(const Tensor& w, const Tensor& dx) const;
  Requirements pointwise_backward_weights_needs(const Tensor* dy, std::size_t members, const Tensor& dbias) const;

  // Convolutions of images so small that most filter positions are on padding (conv2d_small_image.cpp).
  void small_image_forward(const Conv2dForward&, cpu::Scratch scratch);
  void small_image_backward_data(const Conv2dBackwardData&, cpu::Scratch scratch);
  void small_image_backward_weights(const Conv2dBackwardWeights&, cpu::Scratch scratch);
  Requirements small_image_needs(const Conv2dForward&) const;
  Requirements small_image_needs(const Conv2dBackwardData&) const;

  // 3x3 convolutions by Winograd's minimal filtering (conv2d_winograd.cpp).
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
