/// Flatten: from channels-last memory to (C, H, W) order, a transpose per image.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

namespace minception {

using namespace cpu;

void CpuBackend::flatten_forward(const FlattenForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const std::int64_t area = x.h * x.w;
    parallel(threads_, x.n * x.c, x.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      for (; begin < end; ++begin) {
        const std::int64_t n = begin / x.c;
        const T* from = x.pixel(n * area) + begin % x.c;
        T* to = y.pixel(n) + begin % x.c * area;
        for (std::int64_t pixel = 0; pixel < area; ++pixel) to[pixel] = from[pixel * x.stride];
      }
    });
  });
}

void CpuBackend::flatten_backward(const FlattenBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    const std::int64_t area = store.dx.h * store.dx.w;
    parallel(threads_, store.dx.pixels(), dy.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      for (; begin < end; ++begin) {
        const T* gradient = dy.pixel(begin / area) + begin % area;
        store.put(Run{begin, 0, store.dx.c}, [=](std::int64_t c) { return float(gradient[c * area]); });
      }
    });
  });
}

}  // namespace minception
