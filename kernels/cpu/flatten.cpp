/// Flatten: channels-last memory in, (C, H, W) order out: a transpose per image.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/view.h>

namespace minception {

using namespace cpu;

void CpuBackend::flatten_forward(const FlattenForward& op, Workspace) {
  const View<const float> x = const_view(op.x);
  const View<float> y = view(op.y);
  const std::int64_t area = x.h * x.w;
  parallel(threads_, x.n * x.c, x.elements(), [&](std::int64_t begin, std::int64_t end, int) {
    for (; begin < end; ++begin) {
      const std::int64_t n = begin / x.c;
      const float* from = x.pixel(n * area) + begin % x.c;
      float* to = y.pixel(n) + begin % x.c * area;
      for (std::int64_t pixel = 0; pixel < area; ++pixel) to[pixel] = from[pixel * x.stride];
    }
  });
}

void CpuBackend::flatten_backward(const FlattenBackward& op, Workspace) {
  const View<const float> dy = const_view(op.dy);
  const GradientStore store(op.target);
  const std::int64_t area = store.dx.h * store.dx.w;
  parallel(threads_, store.dx.pixels(), dy.elements(), [&](std::int64_t begin, std::int64_t end, int) {
    for (; begin < end; ++begin) {
      const float* gradient = dy.pixel(begin / area) + begin % area;
      store.put(Run{begin, 0, store.dx.c}, [=](std::int64_t c) { return gradient[c * area]; });
    }
  });
}

}  // namespace minception
