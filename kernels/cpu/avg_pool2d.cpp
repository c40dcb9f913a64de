/// Average pooling.

#include "kernels/cpu/window.h"

#include "kernels/cpu/backend.h"

namespace minception {
namespace {

using namespace cpu;

PoolAxis rows_of(const Pool2dAttributes& pool, const Tensor& x, const Tensor& y) {
  return {x.h(), y.h(), pool.kernel.h, pool.stride.h, pool.padding.h, pool.count_include_pad};
}
PoolAxis columns_of(const Pool2dAttributes& pool, const Tensor& x, const Tensor& y) {
  return {x.w(), y.w(), pool.kernel.w, pool.stride.w, pool.padding.w, pool.count_include_pad};
}

}  // namespace

void CpuBackend::avg_pool2d_forward(const AvgPool2dForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    average(threads_, const_view<T>(op.x), view<T>(op.y), rows_of(op.attributes, op.x, op.y),
            columns_of(op.attributes, op.x, op.y));
  });
}

void CpuBackend::avg_pool2d_backward(const AvgPool2dBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const Tensor& dx = op.target.dx;
    average_gradient(threads_, const_view<T>(op.dy), GradientStore<T>(op.target), rows_of(op.attributes, dx, op.dy),
                     columns_of(op.attributes, dx, op.dy));
  });
}

}  // namespace minception
