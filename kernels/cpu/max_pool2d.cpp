/// Max pooling. The forward pass keeps which tap won, one byte per output; the backward pass gathers with it,
/// so every pixel of dx is written once and no two threads meet.

#include <minception/kernels/cpu/window.h>

#include <minception/kernels/cpu/backend.h>

#include <cstdint>

namespace minception {

using namespace cpu;

void CpuBackend::max_pool2d_forward(const MaxPool2dForward& op, Workspace) {
  const View<const float> x = const_view(op.x);
  const View<float> y = view(op.y);
  std::uint8_t* const argmax = op.argmax.defined() ? op.argmax.as<std::uint8_t>() : nullptr;
  const Pool2dAttributes& pool = op.attributes;
  const PoolAxis rows{x.h, y.h, pool.kernel.h, pool.stride.h, pool.padding.h, false};
  const PoolAxis columns{x.w, y.w, pool.kernel.w, pool.stride.w, pool.padding.w, false};
  parallel(threads_, y.pixels(), x.elements(), [&](std::int64_t begin, std::int64_t end, int) {
    float largest[kChannelBlock];
    std::int32_t winner[kChannelBlock];
    for (; begin < end; ++begin) {
      const std::int64_t q = begin % y.w;
      const std::int64_t p = begin / y.w % y.h;
      const std::int64_t n = begin / (y.w * y.h);
      for (std::int64_t first = 0; first < y.c; first += kChannelBlock) {
        const std::int64_t count = std::min(kChannelBlock, y.c - first);
        bool is_first = true;
        for (std::int64_t h = rows.begin(p); h < rows.end(p); ++h) {
          for (std::int64_t w = columns.begin(q); w < columns.end(q); ++w) {
            const float* in = x.pixel(n, h, w) + first;
            const auto tap = static_cast<std::int32_t>((h - rows.origin(p)) * pool.kernel.w + w - columns.origin(q));
            if (is_first) {
              std::copy_n(in, count, largest);
              std::fill_n(winner, count, tap);
              is_first = false;
              continue;
            }
#pragma omp simd
            for (std::int64_t c = 0; c < count; ++c) {
              // `!(value <= largest)` holds for a NaN on either side; a NaN that already won stays.
              const bool wins = !(in[c] <= largest[c]) & (largest[c] == largest[c]);
              largest[c] = wins ? in[c] : largest[c];
              winner[c] = wins ? tap : winner[c];
            }
          }
        }
        std::copy_n(largest, count, y.pixel(begin) + first);
        if (argmax == nullptr) continue;
        std::uint8_t* taps = argmax + begin * y.c + first;
#pragma omp simd
        for (std::int64_t c = 0; c < count; ++c) taps[c] = static_cast<std::uint8_t>(winner[c]);
      }
    }
  });
}

void CpuBackend::max_pool2d_backward(const MaxPool2dBackward& op, Workspace) {
  const View<const float> dy = const_view(op.dy);
  const std::uint8_t* const argmax = op.argmax.as<const std::uint8_t>();
  const GradientStore store(op.target);
  const View<float>& dx = store.dx;
  const Pool2dAttributes& pool = op.attributes;
  const PoolAxis rows{dx.h, dy.h, pool.kernel.h, pool.stride.h, pool.padding.h, false};
  const PoolAxis columns{dx.w, dy.w, pool.kernel.w, pool.stride.w, pool.padding.w, false};
  parallel(threads_, dx.pixels(), dx.elements(), [&](std::int64_t begin, std::int64_t end, int) {
    float sums[kChannelBlock];
    for (; begin < end; ++begin) {
      const std::int64_t w = begin % dx.w;
      const std::int64_t h = begin / dx.w % dx.h;
      const std::int64_t n = begin / (dx.w * dx.h);
      for (std::int64_t first = 0; first < dx.c; first += kChannelBlock) {
        const std::int64_t count = std::min(kChannelBlock, dx.c - first);
        std::fill_n(sums, count, 0.0f);
        for (std::int64_t p = rows.first_holding(h); p <= rows.last_holding(h); ++p) {
          for (std::int64_t q = columns.first_holding(w); q <= columns.last_holding(w); ++q) {
            const auto tap = static_cast<std::uint8_t>((h - rows.origin(p)) * pool.kernel.w + w - columns.origin(q));
            const std::uint8_t* winner = argmax + ((n * dy.h + p) * dy.w + q) * dy.c + first;
            const float* gradient = dy.pixel(n, p, q) + first;
#pragma omp simd
            for (std::int64_t c = 0; c < count; ++c) sums[c] += winner[c] == tap ? gradient[c] : 0.0f;
          }
        }
        store.put(Run{begin, first, count}, [&sums](std::int64_t c) { return sums[c]; });
      }
    }
  });
}

}  // namespace minception
