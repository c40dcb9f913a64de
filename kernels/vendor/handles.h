#pragma once
/// Library handles and cached convolution plans of the vendor backend.

#include "kernels/vendor/backend.h"
#include "kernels/vendor/descriptors.h"

#include <array>
#include <map>

namespace minception {

/// Plan of a convolution in cuDNN, made once per shape.
struct VendorBackend::Convolution {
  vendor::TensorDescriptor x, y;  ///< or their gradients
  vendor::FilterDescriptor w;
  vendor::ConvolutionDescriptor convolution;
  int algorithm = 0;  ///< value of the cuDNN enum for this pass
  std::size_t workspace = 0;
  bool fuses_bias_and_relu = true;  ///< false after cuDNN has rejected the fused call
};

struct VendorBackend::Handles {
  cudnnHandle_t cudnn = nullptr;
  cublasHandle_t cublas = nullptr;
  Buffer cublas_workspace;
  std::map<std::array<std::int64_t, 15>, Convolution> convolutions;

  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    if (cublas != nullptr) vendor::libraries().cublasDestroy_v2(cublas);
    if (cudnn != nullptr) vendor::libraries().cudnnDestroy(cudnn);
  }
};

}  // namespace minception
