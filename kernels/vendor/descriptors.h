#pragma once
/// cuDNN's descriptors of our tensors and operations, owned. Every tensor that cuDNN gets is dense.

#include <minception/kernels/operations.h>
#include <minception/kernels/vendor/libraries.h>

#include <memory>
#include <type_traits>

namespace minception::vendor {

/// Factors of results and of what is there already; the libraries take their addresses.
inline constexpr float kOne = 1.0f, kZero = 0.0f;

/// Owns what Handle, a pointer to something of cuDNN's, points to.
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, cudnnStatus_t (*)(Handle)>;

using TensorDescriptor = Owned<cudnnTensorDescriptor_t>;
using FilterDescriptor = Owned<cudnnFilterDescriptor_t>;
using ConvolutionDescriptor = Owned<cudnnConvolutionDescriptor_t>;
using PoolingDescriptor = Owned<cudnnPoolingDescriptor_t>;
using ActivationDescriptor = Owned<cudnnActivationDescriptor_t>;

/// f32 or bf16. Throws Error for any other.
cudnnDataType_t data_type(DType dtype);

/// (N, C, H, W) as NHWC; rank 2 is an image of one pixel.
TensorDescriptor describe(const Tensor& tensor);
/// A vector of `channels` f32 or bf16 values, as bias and batch-norm parameters are: (1, C, 1, 1).
TensorDescriptor describe_channels(std::int64_t channels, DType dtype);
/// (O, I, KH, KW), in memory (O, KH, KW, I).
FilterDescriptor describe_filter(const Tensor& w, DType dtype);
/// Sums in f32. `tf32`: f32 factors may be rounded to tf32.
ConvolutionDescriptor describe(const Conv2dAttributes& attributes, DType dtype, bool tf32);
PoolingDescriptor describe(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode);
/// max(0, x), NaN stays NaN.
ActivationDescriptor describe_relu();

}  // namespace minception::vendor
