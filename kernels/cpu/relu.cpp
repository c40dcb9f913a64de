/// ReLU. `x < 0 ? 0 : x` propagates NaN.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

namespace minception {

using namespace cpu;

void CpuBackend::relu_forward(const ReluForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* in = run.of(x);
          T* out = run.of(y);
#pragma omp simd
          for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], in[i] < 0.0f ? 0.0f : float(in[i]));
        },
        x, y);
  });
}

void CpuBackend::relu_backward(const ReluBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> y = const_view<T>(op.y);
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* output = run.of(y);
          const T* gradient = run.of(dy);
          store.put(run, [=](std::int64_t i) { return output[i] > 0.0f ? float(gradient[i]) : 0.0f; });
        },
        store, y, dy);
  });
}

}  // namespace minception
