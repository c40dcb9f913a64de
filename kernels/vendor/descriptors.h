#pragma once
/// Owning cuDNN descriptors of our tensors and operations. All tensors passed to cuDNN are dense.

#include "kernels/operations.h"
#include "kernels/vendor/libraries.h"

#include <memory>
#include <type_traits>

namespace minception::vendor {

/// Values of alpha and beta, which the libraries take by address.
inline constexpr float kOne = 1.0f, kZero = 0.0f;

/// Owns the cuDNN object that Handle, a pointer type, refers to.
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, cudnnStatus_t (*)(Handle)>;

using TensorDescriptor = Owned<cudnnTensorDescriptor_t>;
using FilterDescriptor = Owned<cudnnFilterDescriptor_t>;
using ConvolutionDescriptor = Owned<cudnnConvolutionDescriptor_t>;
using PoolingDescriptor = Owned<cudnnPoolingDescriptor_t>;
using ActivationDescriptor = Owned<cudnnActivationDescriptor_t>;

/// The cuDNN type of f32 or bf16. Throws Error for other dtypes.
cudnnDataType_t data_type(DType dtype);

/// (N, C, H, W) in NHWC layout; a tensor of rank 2 has H = W = 1.
TensorDescriptor describe(const Tensor& tensor);
/// A vector of `channels` f32 or bf16 values, such as a bias or batch-norm parameters: (1, C, 1, 1).
TensorDescriptor describe_channels(std::int64_t channels, DType dtype);
/// (O, I, R, S), stored as (O, R, S, I).
FilterDescriptor describe_filter(const Tensor& w, DType dtype);
/// Accumulates in f32. `tf32`: f32 operands may be rounded to tf32.
ConvolutionDescriptor describe(const Conv2dAttributes& attributes, DType dtype, bool tf32);
PoolingDescriptor describe(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode);
/// max(0, x); propagates NaN.
ActivationDescriptor describe_relu();

}  // namespace minception::vendor
