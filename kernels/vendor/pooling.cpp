/// Pooling through cuDNN.

#include "kernels/vendor/handles.h"

namespace minception {

using namespace vendor;

namespace {

cudnnPoolingMode_t average_mode(const Pool2dAttributes& attributes) {
  return attributes.count_include_pad ? CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING
                                      : CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
}

Pool2dAttributes whole_image(const Tensor& image) { return {.kernel = {image.h(), image.w()}}; }

/// Whether y's extents are rounded up, which cuDNN does not support.
bool rounds_up(const Pool2dAttributes& attributes, const Tensor& x, const Tensor& y) {
  return y.h() != pooled_extent(x.h(), attributes.kernel.h, attributes.stride.h, attributes.padding.h, false) ||
         y.w() != pooled_extent(x.w(), attributes.kernel.w, attributes.stride.w, attributes.padding.w, false);
}

}  // namespace

void VendorBackend::pool(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode, const Tensor& x_in,
                         const Tensor& y_out, Walk& walk) {
  const Tensor x = dense(x_in, walk);
  const Tensor y = result(y_out, walk);
  if (!walk.works) return;
  const PoolingDescriptor descriptor = describe(attributes, mode);
  const TensorDescriptor in = describe(x), out = describe(y);
  check(libraries().cudnnPoolingForward(handles_->cudnn, descriptor.get(), &kOne, in.get(), x.data, &kZero, out.get(),
                                        y.data),
        "a pool");
  finish(y, y_out, walk);
}

void VendorBackend::average_backward(const Pool2dAttributes& attributes, cudnnPoolingMode_t mode, const Tensor& dy_in,
                                     const GradTarget& target, Walk& walk) {
  const Tensor dy = dense(dy_in, walk);
  const GradientBuffer dx = result(target, walk);
  if (!walk.works) return;
  const PoolingDescriptor descriptor = describe(attributes, mode);
  const TensorDescriptor in = describe(dx.dx), out = describe(dy);
  // Average pooling does not use the forward's x and y, but cuDNN requires pointers of their shapes.
  check(libraries().cudnnPoolingBackward(handles_->cudnn, descriptor.get(), &kOne, out.get(), dy.data, out.get(),
                                         dy.data, in.get(), dx.dx.data, &dx.beta, in.get(), dx.dx.data),
        "a pool's gradient");
  finish(dx, target, walk);
}

void VendorBackend::walk(const MaxPool2dForward& op, Walk& walk) {
  if (op.argmax.defined() || rounds_up(op.attributes, op.x, op.y)) {
    const Workspace workspace = ours(op, walk);
    if (walk.works) CudaBackend::max_pool2d_forward(op, workspace);
    return;
  }
  pool(op.attributes, CUDNN_POOLING_MAX, op.x, op.y, walk);
}

void VendorBackend::walk(const AvgPool2dForward& op, Walk& walk) {
  if (rounds_up(op.attributes, op.x, op.y)) {
    const Workspace workspace = ours(op, walk);
    if (walk.works) CudaBackend::avg_pool2d_forward(op, workspace);
    return;
  }
  pool(op.attributes, average_mode(op.attributes), op.x, op.y, walk);
}

void VendorBackend::walk(const AvgPool2dBackward& op, Walk& walk) {
  if (rounds_up(op.attributes, op.target.dx, op.dy)) {
    const Workspace workspace = ours(op, walk);
    if (walk.works) CudaBackend::avg_pool2d_backward(op, workspace);
    return;
  }
  average_backward(op.attributes, average_mode(op.attributes), op.dy, op.target, walk);
}

void VendorBackend::walk(const GlobalAvgPoolForward& op, Walk& walk) {
  pool(whole_image(op.x), CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, op.x, op.y, walk);
}

void VendorBackend::walk(const GlobalAvgPoolBackward& op, Walk& walk) {
  average_backward(whole_image(op.target.dx), CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, op.dy, op.target, walk);
}

void VendorBackend::max_pool2d_forward(const MaxPool2dForward& op, Workspace workspace) { work(op, workspace); }
void VendorBackend::avg_pool2d_forward(const AvgPool2dForward& op, Workspace workspace) { work(op, workspace); }
void VendorBackend::avg_pool2d_backward(const AvgPool2dBackward& op, Workspace workspace) { work(op, workspace); }
void VendorBackend::global_avg_pool_forward(const GlobalAvgPoolForward& op, Workspace workspace) {
  work(op, workspace);
}
void VendorBackend::global_avg_pool_backward(const GlobalAvgPoolBackward& op, Workspace workspace) {
  work(op, workspace);
}

}  // namespace minception
