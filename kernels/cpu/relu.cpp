/// ReLU. Written as `x < 0 ? 0 : x`, which lets NaN through.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/view.h>

namespace minception {

using namespace cpu;

void CpuBackend::relu_forward(const ReluForward& op, Workspace) {
  const View<const float> x = const_view(op.x);
  const View<float> y = view(op.y);
  for_each_run(
      threads_,
      [&](const Run& run) {
        const float* in = run.of(x);
        float* out = run.of(y);
#pragma omp simd
        for (std::int64_t i = 0; i < run.count; ++i) out[i] = in[i] < 0.0f ? 0.0f : in[i];
      },
      x, y);
}

void CpuBackend::relu_backward(const ReluBackward& op, Workspace) {
  const View<const float> y = const_view(op.y);
  const View<const float> dy = const_view(op.dy);
  const GradientStore store(op.target);
  for_each_run(
      threads_,
      [&](const Run& run) {
        const float* output = run.of(y);
        const float* gradient = run.of(dy);
        store.put(run, [=](std::int64_t i) { return output[i] > 0.0f ? gradient[i] : 0.0f; });
      },
      store, y, dy);
}

}  // namespace minception
