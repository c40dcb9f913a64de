#pragma once
/// V neighbouring channels at once: one memory access of V * sizeof(T) bytes, computed with as floats.

#include <minception/core/dtype.h>
#include <minception/kernels/cuda/view.h>

#include <cstdint>

namespace minception::cuda {

/// Elements of T in 16 bytes, the widest access of a thread.
template <class T>
inline constexpr int kWidest = 16 / static_cast<int>(sizeof(T));

template <class T, int V>
struct alignas(sizeof(T) * V) Packed {
  T element[V];
};

template <int V>
struct Floats {
  float value[V];
  __device__ float& operator[](int i) { return value[i]; }
  __device__ const float& operator[](int i) const { return value[i]; }
};

template <int V, class T>
__device__ __forceinline__ Floats<V> load(const T* from) {
  const auto packed = *reinterpret_cast<const Packed<T, V>*>(from);
  Floats<V> floats;
#pragma unroll
  for (int i = 0; i < V; ++i) floats[i] = static_cast<float>(packed.element[i]);
  return floats;
}

template <int V, class T>
__device__ __forceinline__ void store(T* to, const Floats<V>& floats) {
  Packed<T, V> packed;
#pragma unroll
  for (int i = 0; i < V; ++i) packed.element[i] = static_cast<T>(floats[i]);
  *reinterpret_cast<Packed<T, V>*>(to) = packed;
}

/// Stores V gradients of neighbouring channels into a GradTarget.
template <int V, class T>
__device__ __forceinline__ void store(const Gradient<T>& target, int pixel, int channel, Floats<V> gradient) {
  T* out = target.dx.pixel(pixel) + channel;
  if (target.accumulate) {
    const Floats<V> before = load<V>(out);
#pragma unroll
    for (int i = 0; i < V; ++i) gradient[i] += before[i];
  }
  if (target.relu_output.data != nullptr) {
    const Floats<V> y = load<V>(target.relu_output.pixel(pixel) + channel);
#pragma unroll
    for (int i = 0; i < V; ++i) gradient[i] = y[i] > 0.0f ? gradient[i] : 0.0f;
  }
  store<V>(out, gradient);
}

/// Whether every pixel of the view can be read V elements at a time. Undefined operands can.
template <class T>
bool divides(const View<T>& view, int v) {
  return view.data == nullptr || (view.c % v == 0 && view.stride % v == 0 &&
                                  reinterpret_cast<std::uintptr_t>(view.data) % (sizeof(T) * v) == 0);
}
template <class T>
bool divides(const Gradient<T>& target, int v) {
  return divides(target.dx, v) && divides(target.relu_output, v);
}

/// f.operator()<V>() with the widest V that all operands allow: 16 bytes of T, or one element.
template <class T, class F, class... Operands>
void for_width(F&& f, const Operands&... operands) {
  if ((divides(operands, kWidest<T>) && ...)) {
    f.template operator()<kWidest<T>>();
  } else {
    f.template operator()<1>();
  }
}

}  // namespace minception::cuda
