/// Concatenation along channels and its backward pass: copies between tensors and channel slices.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <algorithm>

namespace minception {

using namespace cpu;

void CpuBackend::concat_forward(const ConcatForward& op, Workspace) {
  in_dtype_of(op.y, [&]<class T>(T) {
    std::int64_t channel = 0;
    for (const Tensor& part : op.x) {
      const View<const T> x = const_view<T>(part);
      const View<T> slice = view<T>(op.y.channels(channel, part.c()));
      for_each_run(
          threads_, [&](const Run& run) { std::copy_n(run.of(x), run.count, run.of(slice)); }, x, slice);
      channel += part.c();
    }
  });
}

void CpuBackend::split(const Split& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    std::int64_t channel = 0;
    for (const GradTarget& target : op.targets) {
      const GradientStore<T> store(target);
      const View<const T> slice = const_view<T>(op.dy.channels(channel, target.dx.c()));
      for_each_run(
          threads_,
          [&](const Run& run) {
            const T* gradient = run.of(slice);
            store.put(run, [=](std::int64_t i) { return float(gradient[i]); });
          },
          store, slice);
      channel += target.dx.c();
    }
  });
}

}  // namespace minception
