/// Residual addition: y = a + scale * b.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/view.h>

namespace minception {

using namespace cpu;

void CpuBackend::add_forward(const AddForward& op, Workspace) {
  const View<const float> a = const_view(op.a);
  const View<const float> b = const_view(op.b);
  const View<float> y = view(op.y);
  const auto scale = static_cast<float>(op.scale);
  for_each_run(
      threads_,
      [&](const Run& run) {
        const float* left = run.of(a);
        const float* right = run.of(b);
        float* out = run.of(y);
        if (op.relu) {
#pragma omp simd
          for (std::int64_t i = 0; i < run.count; ++i) {
            const float sum = left[i] + scale * right[i];
            out[i] = sum < 0.0f ? 0.0f : sum;
          }
        } else {
#pragma omp simd
          for (std::int64_t i = 0; i < run.count; ++i) out[i] = left[i] + scale * right[i];
        }
      },
      a, b, y);
}

void CpuBackend::add_backward(const AddBackward& op, Workspace) {
  const View<const float> dy = const_view(op.dy);
  const auto scale = static_cast<float>(op.scale);
  // db first: da may be dy.
  const GradientStore db(op.db);
  for_each_run(
      threads_,
      [&](const Run& run) {
        const float* gradient = run.of(dy);
        db.put(run, [=](std::int64_t i) { return scale * gradient[i]; });
      },
      db, dy);
  const GradientStore da(op.da);
  for_each_run(
      threads_,
      [&](const Run& run) {
        const float* gradient = run.of(dy);
        da.put(run, [=](std::int64_t i) { return gradient[i]; });
      },
      da, dy);
}

}  // namespace minception
