/// Residual addition: y = a + scale * b.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

namespace minception {

using namespace cpu;

void CpuBackend::add_forward(const AddForward& op, Workspace) {
  in_dtype_of(op.y, [&]<class T>(T) {
    const View<const T> a = const_view<T>(op.a);
    const View<const T> b = const_view<T>(op.b);
    const View<T> y = view<T>(op.y);
    const auto scale = static_cast<float>(op.scale);
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* left = run.of(a);
          const T* right = run.of(b);
          T* out = run.of(y);
          if (op.relu) {
#pragma omp simd
            for (std::int64_t i = 0; i < run.count; ++i) {
              const float sum = left[i] + scale * right[i];
              round_into(out[i], sum < 0.0f ? 0.0f : sum);
            }
          } else {
#pragma omp simd
            for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], left[i] + scale * right[i]);
          }
        },
        a, b, y);
  });
}

void CpuBackend::add_backward(const AddBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> dy = const_view<T>(op.dy);
    const auto scale = static_cast<float>(op.scale);
    // db first: da may be dy.
    const GradientStore<T> db(op.db);
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* gradient = run.of(dy);
          db.put(run, [=](std::int64_t i) { return scale * gradient[i]; });
        },
        db, dy);
    const GradientStore<T> da(op.da);
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* gradient = run.of(dy);
          da.put(run, [=](std::int64_t i) { return float(gradient[i]); });
        },
        da, dy);
  });
}

}  // namespace minception
