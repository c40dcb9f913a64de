#pragma once
/// Results of gemm() (gemm.h says what a result is): where the sums of a product go, and what is done to them on the
/// way.

#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/cuda/gemm_operands.h>
#include <minception/kernels/cuda/vector.h>

#include <limits>

namespace minception::cuda {

/// y = sums + bias, then ReLU if asked: rows are pixels, columns the channels of up to kMost tensors, one after the
/// other.
template <class T>
struct Outputs {
  using Element = T;
  static constexpr int kMost = 8;

  struct Member {
    T* data = nullptr;
    int stride = 0;
    int begin = std::numeric_limits<int>::max();  ///< its first column; no column reaches an absent member's
  };

  Member members[kMost];
  const float* bias = nullptr;
  bool relu = false;
  bool wide = true;
  PixelOrder order;

  Outputs(const float* of_bias, bool with_relu, const PixelOrder& rows) : bias(of_bias), relu(with_relu), order(rows) {}

  /// The member `index`; the first begins at 0, each other one where the previous ends.
  void set(int index, int begin, const View<T>& y) {
    members[index] = {y.data, y.stride, begin};
    wide = wide && divides(y, kWidest<T>);
  }

  template <int V>
  __device__ void store(int m, int n, const Floats<V>& sums) const {
    // Constant indices: an array indexed by a variable would be copied to local memory.
    Member member = members[0];
#pragma unroll
    for (int j = 1; j < kMost; ++j) {
      if (n >= members[j].begin) member = members[j];
    }
    Floats<V> values = sums;
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

/// dx of a GradTarget: rows are pixels, columns channels.
template <class T>
struct GradientResult {
  using Element = T;

  Gradient<T> target;
  PixelOrder order;
  bool wide;

  explicit GradientResult(const Gradient<T>& gradient)
      : target(gradient), order(gradient.dx), wide(divides(gradient, kWidest<T>)) {}

  template <int V>
  __device__ void store(int m, int n, const Floats<V>& sums) const {
    cuda::store<V>(target, order.pixel(m), n, sums);
  }
};

}  // namespace minception::cuda
