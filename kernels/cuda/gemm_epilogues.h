#pragma once
/// Epilogues of gemm(). The concept is documented in gemm.h.

#include "kernels/cuda/gemm_iterators.h"
#include "kernels/cuda/vector.h"
#include "simt/cuda.h"

#include <limits>

namespace minception::cuda {

/// y = accumulators + bias, then ReLU if `relu`. m is the pixel; n runs over the concatenated channels of up to
/// kMaxOutputs tensors.
template <class T>
struct BiasReluEpilogue {
  using Element = T;
  static constexpr int kMaxOutputs = 8;

  struct Member {
    T* data = nullptr;
    int stride = 0;
    int begin = std::numeric_limits<int>::max();  ///< first n; unused members keep the maximum
  };

  Member members[kMaxOutputs];
  const float* bias = nullptr;
  bool relu = false;
  bool vectorized = true;
  PixelOrder order;

  BiasReluEpilogue(const float* of_bias, bool with_relu, const PixelOrder& rows)
      : bias(of_bias), relu(with_relu), order(rows) {}

  /// Sets output `index`, whose channels start at n = `begin`: 0 for output 0, else the end of the previous output.
  void set(int index, int begin, const View<T>& y) {
    members[index] = {y.data, y.stride, begin};
    vectorized = vectorized && is_vectorizable(y, kElementsPerAccess<T>);
  }

  template <int V>
  __device__ void store(int m, int n, const FloatArray<V>& accumulators) const {
    // A variable index would copy the array to local memory.
    Member member = members[0];
#pragma unroll
    for (int j = 1; j < kMaxOutputs; ++j) {
      if (n >= members[j].begin) member = members[j];
    }
    FloatArray<V> values = accumulators;
    if (bias != nullptr) {
#pragma unroll
      for (int i = 0; i < V; ++i) values[i] += bias[n + i];
    }
    if (relu) {
#pragma unroll
      for (int i = 0; i < V; ++i) values[i] = values[i] < 0.0f ? 0.0f : values[i];
    }
    cuda::store<V>(member.data + (order.pixel(m) * member.stride + n - member.begin), values);
  }
};

/// dx of a GradTarget: m is the pixel, n the channel.
template <class T>
struct GradientEpilogue {
  using Element = T;

  Gradient<T> target;
  PixelOrder order;
  bool vectorized;

  explicit GradientEpilogue(const Gradient<T>& gradient)
      : target(gradient), order(gradient.dx), vectorized(is_vectorizable(gradient, kElementsPerAccess<T>)) {}

  template <int V>
  __device__ void store(int m, int n, const FloatArray<V>& accumulators) const {
    cuda::store<V>(target, order.pixel(m), n, accumulators);
  }
};

}  // namespace minception::cuda
