/// Max pooling. The forward pass stores the window index of each maximum, one byte per output. The backward pass
/// gathers: it writes every pixel of dx once, so threads do not conflict.

#include "kernels/cpu/window.h"

#include "kernels/cpu/backend.h"

#include <cstdint>
#include <type_traits>

namespace minception {
namespace {

using namespace cpu;

/// Pixels, not padding, are compared by rank. In f32 the rank is the value. A NaN beats all but an earlier NaN.
inline float rank(float value) { return value; }
inline bool beats(float challenger, float champion) {
  // `!(challenger <= champion)` is true if either is NaN; the second condition keeps a NaN champion.
  return !(challenger <= champion) & (champion == champion);
}
inline void unrank(float rank, float& value) { value = rank; }

/// In bf16 the rank is an integer of the same order, 32 of which are compared at a time. Both zeros have the same rank,
/// and so have all NaNs.
inline std::int16_t rank(bf16 value) {
  const auto magnitude = static_cast<std::int16_t>(value.bits & 0x7fff);
  const auto negated = static_cast<std::int16_t>(-magnitude);
  const std::int16_t signed_rank = static_cast<std::int16_t>(value.bits) < 0 ? negated : magnitude;
  return magnitude > 0x7f80 ? std::int16_t{0x7fff} : signed_rank;
}
inline bool beats(std::int16_t challenger, std::int16_t champion) { return challenger > champion; }
inline void unrank(std::int16_t rank, bf16& value) {
  const auto negative = static_cast<std::uint16_t>(0x8000 - rank);
  value.bits = rank < 0 ? negative : static_cast<std::uint16_t>(rank);
}

/// Rejects window indices outside the kernel. An index on padding is not detected; its gradient is ignored.
void require_window_indices(int threads, const std::uint8_t* argmax, std::int64_t count, const Extent2d& kernel) {
  const std::int64_t indices = kernel.h * kernel.w;
  parallel(threads, count, count, [&](std::int64_t begin, std::int64_t end, int) {
    std::uint8_t largest = 0;
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = begin; i < end; ++i) largest = argmax[i] > largest ? argmax[i] : largest;
    require(largest < indices, "max_pool2d_backward: argmax ", static_cast<int>(largest),
            " is not a window index of a kernel of ", kernel.h, "x", kernel.w);
  });
}

}  // namespace

void CpuBackend::max_pool2d_forward(const MaxPool2dForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    using Rank = decltype(rank(T()));
    using WindowIndex = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int16_t>;  // the width of Rank
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    std::uint8_t* const argmax = op.argmax.defined() ? op.argmax.as<std::uint8_t>() : nullptr;
    const Pool2dAttributes& pool = op.attributes;
    const PoolAxis rows{x.h, y.h, pool.kernel.h, pool.stride.h, pool.padding.h, false};
    const PoolAxis columns{x.w, y.w, pool.kernel.w, pool.stride.w, pool.padding.w, false};
    parallel(threads_, y.pixels(), x.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      Rank largest[kChannelBlock];
      WindowIndex winner[kChannelBlock];
      for (; begin < end; ++begin) {
        const std::int64_t q = begin % y.w;
        const std::int64_t p = begin / y.w % y.h;
        const std::int64_t n = begin / (y.w * y.h);
        for (std::int64_t first = 0; first < y.c; first += kChannelBlock) {
          const std::int64_t count = std::min(kChannelBlock, y.c - first);
          bool is_first = true;
          for (std::int64_t h = rows.begin(p); h < rows.end(p); ++h) {
            for (std::int64_t w = columns.begin(q); w < columns.end(q); ++w) {
              const T* in = x.pixel(n, h, w) + first;
              const auto window_index =
                  static_cast<WindowIndex>((h - rows.origin(p)) * pool.kernel.w + w - columns.origin(q));
              if (is_first) {
#pragma omp simd
                for (std::int64_t c = 0; c < count; ++c) largest[c] = rank(in[c]);
                std::fill_n(winner, count, window_index);
                is_first = false;
                continue;
              }
#pragma omp simd
              for (std::int64_t c = 0; c < count; ++c) {
                const Rank challenger = rank(in[c]);
                const bool wins = beats(challenger, largest[c]);
                largest[c] = wins ? challenger : largest[c];
                winner[c] = wins ? window_index : winner[c];
              }
            }
          }
          T* out = y.pixel(begin) + first;
#pragma omp simd
          for (std::int64_t c = 0; c < count; ++c) unrank(largest[c], out[c]);
          if (argmax == nullptr) continue;
          std::uint8_t* indices = argmax + begin * y.c + first;
#pragma omp simd
          for (std::int64_t c = 0; c < count; ++c) indices[c] = static_cast<std::uint8_t>(winner[c]);
        }
      }
    });
  });
}

void CpuBackend::max_pool2d_backward(const MaxPool2dBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> dy = const_view<T>(op.dy);
    const std::uint8_t* const argmax = op.argmax.as<const std::uint8_t>();
    const GradientStore<T> store(op.target);
    const View<T>& dx = store.dx;
    const Pool2dAttributes& pool = op.attributes;
    require_window_indices(threads_, argmax, op.argmax.elements(), pool.kernel);
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
              const auto window_index =
                  static_cast<std::uint8_t>((h - rows.origin(p)) * pool.kernel.w + w - columns.origin(q));
              const std::uint8_t* winner = argmax + ((n * dy.h + p) * dy.w + q) * dy.c + first;
              const T* gradient = dy.pixel(n, p, q) + first;
#pragma omp simd
              for (std::int64_t c = 0; c < count; ++c) sums[c] += winner[c] == window_index ? float(gradient[c]) : 0.0f;
            }
          }
          store.put(Run{begin, first, count}, [&sums](std::int64_t c) { return sums[c]; });
        }
      }
    });
  });
}

}  // namespace minception
