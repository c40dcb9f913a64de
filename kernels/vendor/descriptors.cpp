#include "kernels/vendor/descriptors.h"
#include "core/error.h"

namespace minception::vendor {
namespace {

template <class Handle>
Owned<Handle> make(cudnnStatus_t (*create)(Handle*), cudnnStatus_t (*destroy)(Handle)) {
  Handle handle = nullptr;
  check(create(&handle), "creating a descriptor");
  return Owned<Handle>(handle, destroy);
}

int extent(std::int64_t value) { return static_cast<int>(value); }

TensorDescriptor describe_nhwc(DType dtype, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  const Libraries& cudnn = libraries();
  TensorDescriptor descriptor = make(cudnn.cudnnCreateTensorDescriptor, cudnn.cudnnDestroyTensorDescriptor);
  check(cudnn.cudnnSetTensor4dDescriptor(descriptor.get(), CUDNN_TENSOR_NHWC, data_type(dtype), extent(n), extent(c),
                                         extent(h), extent(w)),
        "describing a tensor");
  return descriptor;
}

}  // namespace

cudnnDataType_t data_type(DType dtype) {
  if (dtype == DType::f32) return CUDNN_DATA_FLOAT;
  if (dtype == DType::bf16) return CUDNN_DATA_BFLOAT16;
  fail("the vendor backend computes in f32 and bf16, not in ", name_of(dtype), "; use the reference backend for f64");
}

TensorDescriptor describe(const Tensor& tensor) {
  return describe_nhwc(tensor.dtype, tensor.n(), tensor.c(), tensor.h(), tensor.w());
}

TensorDescriptor describe_channels(std::int64_t channels, DType dtype) {
  return describe_nhwc(dtype, 1, channels, 1, 1);
}

FilterDescriptor describe_filter(const Tensor& w, DType dtype) {
  const Libraries& cudnn = libraries();
  FilterDescriptor descriptor = make(cudnn.cudnnCreateFilterDescriptor, cudnn.cudnnDestroyFilterDescriptor);
  check(cudnn.cudnnSetFilter4dDescriptor(descriptor.get(), data_type(dtype), CUDNN_TENSOR_NHWC, extent(w.n()),
                                         extent(w.c()), extent(w.h()), extent(w.w())),
        "describing a filter");
  return descriptor;
}

ConvolutionDescriptor describe(const Conv2dAttributes& attributes, DType dtype, bool tf32) {
  const Libraries& cudnn = libraries();
  ConvolutionDescriptor descriptor =
      make(cudnn.cudnnCreateConvolutionDescriptor, cudnn.cudnnDestroyConvolutionDescriptor);
  check(cudnn.cudnnSetConvolution2dDescriptor(
            descriptor.get(), extent(attributes.padding.h), extent(attributes.padding.w), extent(attributes.stride.h),
            extent(attributes.stride.w), 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        "describing a convolution");
  // The default math type would round f32 operands to tf32.
  const bool tensor_cores = dtype == DType::bf16 || tf32;
  check(cudnn.cudnnSetConvolutionMathType(descriptor.get(), tensor_cores ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH),
        "setting the math mode of a convolution");
  return descriptor;
}

PoolingDescriptor describe(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode) {
  const Libraries& cudnn = libraries();
  PoolingDescriptor descriptor = make(cudnn.cudnnCreatePoolingDescriptor, cudnn.cudnnDestroyPoolingDescriptor);
  check(cudnn.cudnnSetPooling2dDescriptor(descriptor.get(), mode, CUDNN_PROPAGATE_NAN, extent(attributes.kernel.h),
                                          extent(attributes.kernel.w), extent(attributes.padding.h),
                                          extent(attributes.padding.w), extent(attributes.stride.h),
                                          extent(attributes.stride.w)),
        "describing a pool");
  return descriptor;
}

ActivationDescriptor describe_relu() {
  const Libraries& cudnn = libraries();
  ActivationDescriptor descriptor = make(cudnn.cudnnCreateActivationDescriptor, cudnn.cudnnDestroyActivationDescriptor);
  check(cudnn.cudnnSetActivationDescriptor(descriptor.get(), CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0.0),
        "describing a ReLU");
  return descriptor;
}

}  // namespace minception::vendor
