#pragma once
/// What surrounds a matrix product: its factors in the compute dtype, and the way of its sums, which are f32, into a
/// tensor. In f32 both are where they should be already; in bf16 weights are rounded before and sums after.

#include <minception/kernels/cpu/parallel.h>
#include <minception/kernels/cpu/scratch.h>
#include <minception/kernels/cpu/view.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace minception::cpu {

/// Whether sums are rounded on their way into a tensor of T, so that they cannot be formed in place.
template <class T>
inline constexpr bool kRounds = !std::is_same_v<T, float>;

/// What Requirements::packed says of such weights.
template <class T>
std::size_t packed_factors(const Tensor& w) {
  return kRounds<T> ? static_cast<std::size_t>(w.elements()) * sizeof(T) : 0;
}

/// Master weights as factors of a product. In bf16 a rounded copy: in `packed` where that is given, made if `refresh`,
/// else in scratch memory.
template <class T>
const T* factors(int threads, const Tensor& w, const Tensor& packed, bool refresh, Scratch& scratch) {
  const float* from = values(w);
  if constexpr (!kRounds<T>) {
    return from;
  } else {
    const std::int64_t count = w.elements();
    if (packed.defined()) {
      require(packed.bytes() >= packed_factors<T>(w), "packed holds ", packed.bytes(), " bytes, ", packed_factors<T>(w),
              " are needed");
    }
    T* const to = packed.defined() ? static_cast<T*>(packed.data) : scratch.take<T>(count);
    if (to == nullptr || (packed.defined() && !refresh)) return to;  // planning counts only
    parallel(threads, count, count, [&](std::int64_t begin, std::int64_t end, int) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) round_into(to[i], from[i]);
    });
    return to;
  }
}

/// y = sums + bias, then ReLU if asked, for `count` pixels from `first` on. `sums` may lie in y itself.
template <class T>
void finish(const float* sums, std::int64_t stride, const View<T>& y, std::int64_t first, std::int64_t count,
            const float* bias, bool relu) {
  if (static_cast<const void*>(sums) == y.pixel(first) && bias == nullptr && !relu) return;
  for (std::int64_t pixel = 0; pixel < count; ++pixel) {
    const float* sum = sums + pixel * stride;
    T* out = y.pixel(first + pixel);
    if (bias != nullptr && relu) {
#pragma omp simd
      for (std::int64_t o = 0; o < y.c; ++o) {
        const float value = sum[o] + bias[o];
        round_into(out[o], value < 0.0f ? 0.0f : value);
      }
    } else if (bias != nullptr) {
#pragma omp simd
      for (std::int64_t o = 0; o < y.c; ++o) round_into(out[o], sum[o] + bias[o]);
    } else if (relu) {
#pragma omp simd
      for (std::int64_t o = 0; o < y.c; ++o) round_into(out[o], sum[o] < 0.0f ? 0.0f : sum[o]);
    } else {
#pragma omp simd
      for (std::int64_t o = 0; o < y.c; ++o) round_into(out[o], sum[o]);
    }
  }
}

/// The same for gradients. In f32 `sums` are dx itself, with what was added to it; the mask remains.
template <class T>
void finish(const float* sums, std::int64_t stride, const GradientStore<T>& store, std::int64_t first,
            std::int64_t count) {
  if (!kRounds<T> && !store.masked) return;
  for (std::int64_t pixel = 0; pixel < count; ++pixel) {
    const Run run{first + pixel, 0, store.dx.c};
    if constexpr (kRounds<T>) {
      const float* sum = sums + pixel * stride;
      store.put(run, [sum](std::int64_t c) { return sum[c]; });
    } else {
      store.mask(run);
    }
  }
}

}  // namespace minception::cpu
