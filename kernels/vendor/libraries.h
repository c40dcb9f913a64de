#pragma once
/// cuDNN and cuBLAS, loaded on first use, so that programs built with them also start on machines without them. Only
/// `--kernels vendor` needs the libraries.

#include <cublas_v2.h>
#include <cudnn.h>

#include <string>
#include <string_view>

namespace minception::vendor {

#define MINCEPTION_CUDNN_FUNCTIONS(F)              \
  F(cudnnGetVersion)                               \
  F(cudnnGetErrorString)                           \
  F(cudnnCreate)                                   \
  F(cudnnDestroy)                                  \
  F(cudnnSetStream)                                \
  F(cudnnCreateTensorDescriptor)                   \
  F(cudnnDestroyTensorDescriptor)                  \
  F(cudnnSetTensor4dDescriptor)                    \
  F(cudnnCreateFilterDescriptor)                   \
  F(cudnnDestroyFilterDescriptor)                  \
  F(cudnnSetFilter4dDescriptor)                    \
  F(cudnnCreateConvolutionDescriptor)              \
  F(cudnnDestroyConvolutionDescriptor)             \
  F(cudnnSetConvolution2dDescriptor)               \
  F(cudnnSetConvolutionMathType)                   \
  F(cudnnCreateActivationDescriptor)               \
  F(cudnnDestroyActivationDescriptor)              \
  F(cudnnSetActivationDescriptor)                  \
  F(cudnnGetConvolutionForwardAlgorithm_v7)        \
  F(cudnnGetConvolutionBackwardDataAlgorithm_v7)   \
  F(cudnnGetConvolutionBackwardFilterAlgorithm_v7) \
  F(cudnnFindConvolutionForwardAlgorithm)          \
  F(cudnnFindConvolutionBackwardDataAlgorithm)     \
  F(cudnnFindConvolutionBackwardFilterAlgorithm)   \
  F(cudnnConvolutionForward)                       \
  F(cudnnConvolutionBiasActivationForward)         \
  F(cudnnConvolutionBackwardData)                  \
  F(cudnnConvolutionBackwardFilter)                \
  F(cudnnCreatePoolingDescriptor)                  \
  F(cudnnDestroyPoolingDescriptor)                 \
  F(cudnnSetPooling2dDescriptor)                   \
  F(cudnnPoolingForward)                           \
  F(cudnnPoolingBackward)                          \
  F(cudnnSoftmaxForward)                           \
  F(cudnnBatchNormalizationForwardTraining)        \
  F(cudnnBatchNormalizationForwardInference)       \
  F(cudnnBatchNormalizationBackward)

// Names as exported by the library; cublas_v2.h renames some functions by macros.
#define MINCEPTION_CUBLAS_FUNCTIONS(F) \
  F(cublasCreate_v2)                   \
  F(cublasDestroy_v2)                  \
  F(cublasGetVersion_v2)               \
  F(cublasSetStream_v2)                \
  F(cublasSetWorkspace_v2)             \
  F(cublasSetMathMode)                 \
  F(cublasGetStatusString)             \
  F(cublasGemmEx_64)

/// Function pointers of both libraries, with the functions' own names.
struct Libraries {
#define MINCEPTION_MEMBER(name) decltype(&::name) name = nullptr;
  MINCEPTION_CUDNN_FUNCTIONS(MINCEPTION_MEMBER)
  MINCEPTION_CUBLAS_FUNCTIONS(MINCEPTION_MEMBER)
#undef MINCEPTION_MEMBER
};

/// Loads the libraries at the first call. Throws Error that names the missing library or function.
const Libraries& libraries();
/// Why `libraries` would fail; "" if it would succeed.
const std::string& why_no_libraries();
/// Such as "cuDNN 9.13.0, cuBLAS 13".
std::string library_versions();

/// Throws Error unless the status is success: "cuDNN: what: message of cuDNN".
void check(cudnnStatus_t status, std::string_view what);
void check(cublasStatus_t status, std::string_view what);

}  // namespace minception::vendor
