/// GELU.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <cmath>
#include <numbers>

namespace minception {

using namespace cpu;

namespace {

constexpr float kInverseSqrt2 = 1.0f / std::numbers::sqrt2_v<float>;
constexpr float kInverseSqrt2Pi = 0.398942280f;

/// Standard normal distribution function. Unlike 1 + erf, erfc is accurate for negative x.
float distribution(float x) { return 0.5f * std::erfc(-x * kInverseSqrt2); }

}  // namespace

void CpuBackend::gelu_forward(const GeluForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* in = run.of(x);
          T* out = run.of(y);
          for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], float(in[i]) * distribution(float(in[i])));
        },
        x, y);
  });
}

void CpuBackend::gelu_backward(const GeluBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* in = run.of(x);
          const T* gradient = run.of(dy);
          store.put(run, [=](std::int64_t i) {
            const float value = in[i];
            const float density = kInverseSqrt2Pi * std::exp(-0.5f * value * value);
            return float(gradient[i]) * (distribution(value) + value * density);
          });
        },
        store, x, dy);
  });
}

}  // namespace minception
