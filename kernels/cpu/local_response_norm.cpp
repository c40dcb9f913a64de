/// Local response normalisation across channels. A thread keeps the squares of one pixel in a row that is zero-padded
/// by the reach of the window, so that the sum over the window needs no bounds checks and vectorises.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <cmath>

namespace minception {
namespace {

using namespace cpu;

/// Rows of floats per thread.
struct Rows {
  float* base;
  std::int64_t channels, reach, stride;

  Rows(int threads, std::int64_t channel_count, const LocalResponseNormAttributes& norm, Scratch& scratch)
      : channels(channel_count), reach(norm.size - 1), stride(3 * channels + 2 * reach) {
    base = scratch.take<float>(threads * stride);
  }
  /// Channel c is at [c], with `reach` zeros before and after the channels.
  float* padded(int thread) const { return base + thread * stride + reach; }
  float* sums(int thread) const { return base + thread * stride + channels + 2 * reach; }
  float* powers(int thread) const { return sums(thread) + channels; }

  void clear_ends(int thread) const {
    std::fill_n(padded(thread) - reach, reach, 0.0f);
    std::fill_n(padded(thread) + channels, reach, 0.0f);
  }
};

/// sums[c] = sum of row[c - before .. c + after]
void sum_window(const float* row, std::int64_t channels, std::int64_t before, std::int64_t after, float* sums) {
  std::copy_n(row - before, channels, sums);
  for (std::int64_t shift = 1 - before; shift <= after; ++shift) {
    const float* shifted = row + shift;
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) sums[c] += shifted[c];
  }
}

/// Computes d[c] and powers[c] = d[c]^-beta. `padded` receives the squares.
template <class T>
void denominators(const LocalResponseNormAttributes& norm, const T* x, std::int64_t channels, float* padded, float* d,
                  float* powers) {
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) padded[c] = float(x[c]) * x[c];
  sum_window(padded, channels, norm.size / 2, (norm.size - 1) / 2, d);
  const auto k = static_cast<float>(norm.k);
  const auto scale = static_cast<float>(norm.alpha / static_cast<double>(norm.size));
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) d[c] = k + scale * d[c];
  if (norm.beta == 0.75) {  // the usual value: square roots vectorise, pow does not
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const float root = std::sqrt(d[c]);
      powers[c] = 1.0f / (root * std::sqrt(root));
    }
  } else {
    const auto exponent = static_cast<float>(-norm.beta);
    for (std::int64_t c = 0; c < channels; ++c) powers[c] = std::pow(d[c], exponent);
  }
}

}  // namespace

void CpuBackend::local_response_norm_forward(const LocalResponseNormForward& op, Workspace workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    Scratch scratch(workspace);
    const Rows rows(threads_, x.c, op.attributes, scratch);
    parallel(threads_, x.pixels(), x.elements(), [&](std::int64_t begin, std::int64_t end, int thread) {
      const float* powers = rows.powers(thread);
      rows.clear_ends(thread);
      for (; begin < end; ++begin) {
        const T* in = x.pixel(begin);
        T* out = y.pixel(begin);
        denominators(op.attributes, in, x.c, rows.padded(thread), rows.sums(thread), rows.powers(thread));
#pragma omp simd
        for (std::int64_t c = 0; c < x.c; ++c) round_into(out[c], in[c] * powers[c]);
      }
    });
  });
}

void CpuBackend::local_response_norm_backward(const LocalResponseNormBackward& op, Workspace workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    const auto& [size, alpha, beta, k] = op.attributes;
    const auto factor = static_cast<float>(2.0 * alpha * beta / static_cast<double>(size));
    const std::int64_t before = (size - 1) / 2;  // channels whose windows contain c: the mirrored window
    const std::int64_t after = size / 2;
    Scratch scratch(workspace);
    const Rows rows(threads_, x.c, op.attributes, scratch);
    parallel(threads_, x.pixels(), x.elements(), [&](std::int64_t begin, std::int64_t end, int thread) {
      float* padded = rows.padded(thread);
      float* sums = rows.sums(thread);
      const float* powers = rows.powers(thread);
      rows.clear_ends(thread);
      for (; begin < end; ++begin) {
        const T* in = x.pixel(begin);
        const T* gradient = dy.pixel(begin);
        denominators(op.attributes, in, x.c, padded, sums, rows.powers(thread));
#pragma omp simd
        for (std::int64_t c = 0; c < x.c; ++c) padded[c] = float(gradient[c]) * in[c] * powers[c] / sums[c];
        sum_window(padded, x.c, before, after, sums);
        store.put(Run{begin, 0, x.c},
                  [=](std::int64_t c) { return gradient[c] * powers[c] - factor * in[c] * sums[c]; });
      }
    });
  });
}

Requirements CpuBackend::needs(const LocalResponseNormForward& op) {
  Scratch scratch;
  const Rows rows(threads_, op.x.c(), op.attributes, scratch);
  return {scratch.taken(), 0};
}

Requirements CpuBackend::needs(const LocalResponseNormBackward& op) {
  Scratch scratch;
  const Rows rows(threads_, op.x.c(), op.attributes, scratch);
  return {scratch.taken(), 0};
}

}  // namespace minception
