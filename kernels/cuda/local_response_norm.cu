/// Local response normalisation across channels:
///   y[c] = x[c] * d[c]^-beta,  d[c] = k + alpha / size * sum of x[j]^2 over the window of c.
/// Each pass has two kernels. The general one uses one thread per channel, which loops over the window;
/// `Algorithm::naive` selects it. The narrow one is for windows of up to five channels, as in AlexNet and GoogLeNet,
/// and keeps V channels and their neighbours in registers.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

#include <algorithm>

namespace minception {
namespace cuda {
namespace {

constexpr int kReach = 2;  ///< channels on either side in the narrow kernels

struct ResponseNorm {
  int before, after;  ///< window of c: c - before to c + after
  float scale;        ///< alpha / size
  float beta, k;

  /// d^-beta. For the usual beta = 3/4 two square roots, which cost far less than powf.
  __device__ float power(float d) const {
    if (beta != 0.75f) return powf(d, -beta);
    const float root = sqrtf(d);
    return 1.0f / (root * sqrtf(root));
  }
};

ResponseNorm response_norm(const LocalResponseNormAttributes& attributes, int channels) {
  // Clamping to the number of channels changes no sum and makes the value fit an int.
  const auto arm = [&](std::int64_t reach) { return static_cast<int>(std::min<std::int64_t>(reach, channels)); };
  return {arm(attributes.size / 2), arm((attributes.size - 1) / 2),
          static_cast<float>(attributes.alpha / static_cast<double>(attributes.size)),
          static_cast<float>(attributes.beta), static_cast<float>(attributes.k)};
}

/// d[c] of the pixel whose channels begin at x.
template <class T>
__device__ float denominator(const ResponseNorm& norm, const T* x, int c, int channels) {
  float sum = 0.0f;
  for (int j = max(c - norm.before, 0); j <= min(c + norm.after, channels - 1); ++j) {
    const auto value = static_cast<float>(x[j]);
    sum += value * value;
  }
  return norm.k + norm.scale * sum;
}

/// V channels of a pixel with V channels on either side; zeros where there are none.
template <int V>
struct Neighbourhood {
  float value[3 * V];
  bool low, high;  ///< whether there are channels on that side

  template <class T>
  __device__ Neighbourhood(const T* row, int channel, int channels) : low(channel > 0), high(channel + V < channels) {
    const FloatArray<V> nothing = {};
    const FloatArray<V> left = low ? load<V>(row + channel - V) : nothing;
    const FloatArray<V> middle = load<V>(row + channel);
    const FloatArray<V> right = high ? load<V>(row + channel + V) : nothing;
#pragma unroll
    for (int i = 0; i < V; ++i) {
      value[i] = left[i];
      value[V + i] = middle[i];
      value[2 * V + i] = right[i];
    }
  }
  /// Whether value[i] is a channel of the tensor.
  __device__ bool exists(int i) const { return (i >= V || low) && (i < 2 * V || high); }

  __device__ float denominator(const ResponseNorm& norm, int i) const {
    float sum = 0.0f;
#pragma unroll
    for (int offset = -kReach; offset <= kReach; ++offset) {
      if (-offset <= norm.before && offset <= norm.after) sum += value[i + offset] * value[i + offset];
    }
    return norm.k + norm.scale * sum;
  }
};

template <int V>
bool fits_registers(const ResponseNorm& norm) {
  return V >= 2 * kReach && norm.before <= kReach && norm.after <= kReach;
}

}  // namespace

template <class T>
__global__ void __launch_bounds__(kElementwiseBlock)
    local_response_norm_forward(View<const T> x, View<T> y, ResponseNorm norm) {
  const auto [pixel, channel, inside] = thread_place<1>(x);
  if (!inside) return;
  const T* row = x.pixel(pixel);
  const float power = norm.power(denominator(norm, row, channel, x.c));
  y.pixel(pixel)[channel] = static_cast<T>(static_cast<float>(row[channel]) * power);
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    local_response_norm_forward_narrow(View<const T> x, View<T> y, ResponseNorm norm) {
  const auto [pixel, channel, inside] = thread_place<V>(x);
  if (!inside) return;
  const Neighbourhood<V> inputs(x.pixel(pixel), channel, x.c);
  FloatArray<V> outputs;
#pragma unroll
  for (int i = 0; i < V; ++i) outputs[i] = inputs.value[V + i] * norm.power(inputs.denominator(norm, V + i));
  store<V>(y.pixel(pixel) + channel, outputs);
}

/// dx[c] = dy[c] * d[c]^-beta - slope * x[c] * sum of dy[j] * x[j] * d[j]^(-beta-1) over the j whose window contains c,
/// from c - after to c + before;  slope = 2 * alpha / size * beta.
template <class T>
__global__ void __launch_bounds__(kElementwiseBlock)
    local_response_norm_backward(View<const T> x, View<const T> dy, Gradient<T> target, ResponseNorm norm) {
  const auto [pixel, channel, inside] = thread_place<1>(x);
  if (!inside) return;
  const T* row = x.pixel(pixel);
  const T* gradients = dy.pixel(pixel);
  float sum = 0.0f;
  for (int j = max(channel - norm.after, 0); j <= min(channel + norm.before, x.c - 1); ++j) {
    const float d = denominator(norm, row, j, x.c);
    sum += static_cast<float>(gradients[j]) * static_cast<float>(row[j]) * (norm.power(d) / d);
  }
  const float power = norm.power(denominator(norm, row, channel, x.c));
  const float slope = 2.0f * norm.scale * norm.beta;
  target.store(pixel, channel,
               static_cast<float>(gradients[channel]) * power - slope * static_cast<float>(row[channel]) * sum);
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    local_response_norm_backward_narrow(View<const T> x, View<const T> dy, Gradient<T> target, ResponseNorm norm) {
  const auto [pixel, channel, inside] = thread_place<V>(x);
  if (!inside) return;
  const Neighbourhood<V> inputs(x.pixel(pixel), channel, x.c);
  const Neighbourhood<V> gradients(dy.pixel(pixel), channel, x.c);
  float terms[3 * V];
  FloatArray<V> results;
#pragma unroll
  for (int i = V - kReach; i < 2 * V + kReach; ++i) {
    terms[i] = 0.0f;
    if (!inputs.exists(i)) continue;
    const float d = inputs.denominator(norm, i);
    const float power = norm.power(d);
    terms[i] = gradients.value[i] * inputs.value[i] * (power / d);
    if (i >= V && i < 2 * V) results[i - V] = gradients.value[i] * power;
  }
  const float slope = 2.0f * norm.scale * norm.beta;
#pragma unroll
  for (int i = 0; i < V; ++i) {
    float sum = 0.0f;
#pragma unroll
    for (int offset = -kReach; offset <= kReach; ++offset) {
      if (-offset <= norm.after && offset <= norm.before) sum += terms[V + i + offset];
    }
    results[i] -= slope * inputs.value[V + i] * sum;
  }
  store<V>(target, pixel, channel, results);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::local_response_norm_forward(const LocalResponseNormForward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const ResponseNorm norm = response_norm(op.attributes, x.c);
    constexpr int V = kElementsPerAccess<T>;
    if (fits_registers<V>(norm) && options_.algorithm != Algorithm::naive && is_vectorizable(x, V) &&
        is_vectorizable(y, V)) {
      launch<local_response_norm_forward_narrow<T, V>>(elementwise_blocks<V>(x), kElementwiseBlock, 0, stream_, x, y,
                                                       norm);
    } else {
      launch<cuda::local_response_norm_forward<T>>(elementwise_blocks<1>(x), kElementwiseBlock, 0, stream_, x, y, norm);
    }
  });
}

void CudaBackend::local_response_norm_backward(const LocalResponseNormBackward& op, Workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    const ResponseNorm norm = response_norm(op.attributes, x.c);
    constexpr int V = kElementsPerAccess<T>;
    if (fits_registers<V>(norm) && options_.algorithm != Algorithm::naive && is_vectorizable(x, V) &&
        is_vectorizable(dy, V) && is_vectorizable(target, V)) {
      launch<local_response_norm_backward_narrow<T, V>>(elementwise_blocks<V>(x), kElementwiseBlock, 0, stream_, x, dy,
                                                        target, norm);
    } else {
      launch<cuda::local_response_norm_backward<T>>(elementwise_blocks<1>(x), kElementwiseBlock, 0, stream_, x, dy,
                                                    target, norm);
    }
  });
}

}  // namespace minception
