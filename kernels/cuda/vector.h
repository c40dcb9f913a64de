#pragma once
/// V neighbouring channels: one memory access of V * sizeof(T) bytes, arithmetic in float.

#include "core/dtype.h"
#include "kernels/cuda/view.h"

#include <cstdint>

namespace minception::cuda {

/// Elements of T in 16 bytes, the widest access of a thread.
template <class T>
inline constexpr int kElementsPerAccess = 16 / static_cast<int>(sizeof(T));

template <class T, int V>
struct alignas(sizeof(T) * V) AlignedArray {
  T element[V];
};

template <int V>
struct FloatArray {
  float value[V];
  __device__ float& operator[](int i) { return value[i]; }
  __device__ const float& operator[](int i) const { return value[i]; }
};

template <int V, class T>
__device__ __forceinline__ FloatArray<V> load(const T* from) {
  const auto packed = *reinterpret_cast<const AlignedArray<T, V>*>(from);
  FloatArray<V> floats;
#pragma unroll
  for (int i = 0; i < V; ++i) floats[i] = static_cast<float>(packed.element[i]);
  return floats;
}

template <int V, class T>
__device__ __forceinline__ void store(T* to, const FloatArray<V>& floats) {
  AlignedArray<T, V> packed;
#pragma unroll
  for (int i = 0; i < V; ++i) packed.element[i] = static_cast<T>(floats[i]);
  *reinterpret_cast<AlignedArray<T, V>*>(to) = packed;
}

/// Gradient::store for V neighbouring channels.
template <int V, class T>
__device__ __forceinline__ void store(const Gradient<T>& target, int pixel, int channel, FloatArray<V> gradient) {
  T* out = target.dx.pixel(pixel) + channel;
  if (target.accumulate) {
    const FloatArray<V> before = load<V>(out);
#pragma unroll
    for (int i = 0; i < V; ++i) gradient[i] += before[i];
  }
  if (target.relu_output.data != nullptr) {
    const FloatArray<V> y = load<V>(target.relu_output.pixel(pixel) + channel);
#pragma unroll
    for (int i = 0; i < V; ++i) gradient[i] = y[i] > 0.0f ? gradient[i] : 0.0f;
  }
  store<V>(out, gradient);
}

/// Whether every pixel of the view can be accessed V elements at a time. True for undefined operands.
template <class T>
bool is_vectorizable(const View<T>& view, int v) {
  return view.data == nullptr || (view.c % v == 0 && view.stride % v == 0 &&
                                  reinterpret_cast<std::uintptr_t>(view.data) % (sizeof(T) * v) == 0);
}
template <class T>
bool is_vectorizable(const Gradient<T>& target, int v) {
  return is_vectorizable(target.dx, v) && is_vectorizable(target.relu_output, v);
}

/// Calls f.operator()<V>() with V = kElementsPerAccess<T> if all operands are vectorizable, else with V = 1.
template <class T, class F, class... Operands>
void for_width(F&& f, const Operands&... operands) {
  if ((is_vectorizable(operands, kElementsPerAccess<T>) && ...)) {
    f.template operator()<kElementsPerAccess<T>>();
  } else {
    f.template operator()<1>();
  }
}

}  // namespace minception::cuda
