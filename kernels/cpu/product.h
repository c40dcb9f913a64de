#pragma once
/// Prologue and epilogue of matrix products: weights in the compute dtype, and f32 sums into a tensor. In f32 both are
/// used in place. In bf16, weights are rounded before and sums after the product.

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/view.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace minception::cpu {

/// Whether sums are rounded when stored in a tensor of T. If so, they cannot be formed in place.
template <class T>
inline constexpr bool kRounds = !std::is_same_v<T, float>;

/// Requirements::prepacked for the weights of a product.
template <class T>
std::size_t prepacked_factors(const Tensor& w) {
  return kRounds<T> ? static_cast<std::size_t>(w.elements()) * sizeof(T) : 0;
}

/// Weights in the compute dtype. For f32: w itself. For bf16: a rounded copy, in `prepacked` if that is defined
/// (rewritten if `refresh`), else in scratch memory.
template <class T>
const T* factors(int threads, const Tensor& w, const Tensor& prepacked, bool refresh, Scratch& scratch) {
  const float* from = values(w);
  if constexpr (!kRounds<T>) {
    return from;
  } else {
    const std::int64_t count = w.elements();
    if (prepacked.defined()) {
      require(prepacked.bytes() >= prepacked_factors<T>(w), "prepacked holds ", prepacked.bytes(), " bytes, ",
              prepacked_factors<T>(w), " are needed");
    }
    T* const to = prepacked.defined() ? static_cast<T*>(prepacked.data) : scratch.take<T>(count);
    if (to == nullptr || (prepacked.defined() && !refresh)) return to;  // nullptr: planning
    parallel(threads, count, count, [&](std::int64_t begin, std::int64_t end, int) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) round_into(to[i], from[i]);
    });
    return to;
  }
}

/// y = sums + bias, then ReLU if `relu`, for `count` pixels from `first` on. `sums` may be in y itself.
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

/// The same for gradients. In f32 `sums` is dx itself, already accumulated; only the mask is applied.
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
