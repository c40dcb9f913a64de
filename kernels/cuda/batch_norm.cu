/// Batch normalisation. A block handles a tile of 32 neighbouring channels and one split of the pixels. Each pass takes
/// two launches: the first stores one partial result per split and channel; in the second every block merges the
/// partial results of its tile. This re-reads a few KiB per block, but saves a launch, or an atomic counter and its
/// reset.
///
/// Statistics are accurate for means far from zero: a thread holds a few pixels in registers and takes their mean
/// before their squared deviations. Partial moments are merged by the pairwise update of Chan, Golub & LeVeque (1983),
/// "Algorithms for computing the sample variance". The order of all sums depends only on the shape.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

#include <algorithm>
#include <cstddef>

namespace minception {
namespace cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kWarps = kBlock / 32;
constexpr int kTile = 32;  ///< channels per block: whole memory sectors in f32 and bf16

/// `count` splits of `pixels` pixels each; the last one may be smaller.
struct Splits {
  int count = 1;
  int pixels = 0;
};

Splits splits_of(std::int64_t pixels, std::int64_t channels) {
  constexpr std::int64_t kMinPixels = 128;  // smaller splits cost more in partial sums than they save
  const std::int64_t tiles = std::max<std::int64_t>((channels + kTile - 1) / kTile, 1);
  const std::int64_t wanted =
      std::clamp<std::int64_t>(pixels / kMinPixels, 1, std::max<std::int64_t>(kTargetBlocks / tiles, 1));
  const std::int64_t each = ((pixels + wanted - 1) / wanted + 63) / 64 * 64;
  return {std::max(static_cast<int>((pixels + each - 1) / std::max<std::int64_t>(each, 1)), 1), static_cast<int>(each)};
}

std::size_t partials_bytes(const Tensor& x) {
  return 2 * sizeof(float) * static_cast<std::size_t>(splits_of(x.pixels(), x.c()).count * x.c());
}

dim3 grid_of(int channels, const Splits& splits) {
  return dim3(ceil_div(channels, kTile), static_cast<unsigned>(splits.count));
}

/// Two values per split and channel.
struct Partials {
  float* first = nullptr;
  float* second = nullptr;
};

Partials partials_in(const Workspace& workspace, int channels, const Splits& splits) {
  auto* const floats = static_cast<float*>(workspace.data);
  return {floats, floats + static_cast<std::ptrdiff_t>(splits.count) * channels};
}

/// One value per channel of the tile, aligned for the widest access.
struct alignas(32) TileRow {
  float channel[kTile];
};

/// The work of a thread: V channels of every kRows-th pixel of the block's split.
template <int V>
struct Share {
  static constexpr int kRows = kBlock * V / kTile;
  int column;      ///< first channel, relative to the tile
  int channel;     ///< first channel in the tensor
  int row;         ///< 0 to kRows - 1
  int begin, end;  ///< pixels of the split

  __device__ Share(int pixels, int split_pixels)
      : column(threadIdx.x % (kTile / V) * V),
        channel(blockIdx.x * kTile + column),
        row(threadIdx.x / (kTile / V)),
        begin(blockIdx.y * split_pixels),
        end(min(begin + split_pixels, pixels)) {}
  /// Number of pixels of this split in row `any_row`.
  __device__ int pixels_of(int any_row) const { return max((end - begin - any_row + kRows - 1) / kRows, 0); }
};

/// Returns, to every thread, the sum of `value` over the threads of its lane in all warps. One `scratch` per call.
__device__ float sum_over_warps(float value, float (*scratch)[kTile]) {
  const int lane = threadIdx.x % 32;
  scratch[threadIdx.x / 32][lane] = value;
  __syncthreads();
  float sum = 0.0f;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) sum += scratch[warp][lane];
  return sum;
}

/// Mean of `count` values and sum of their squared deviations from it.
struct Moments {
  float count = 0.0f;
  float mean = 0.0f;
  float squares = 0.0f;
};

/// Merges the moments part(0) to part(parts - 1), `count` values in total. Each lane has its own channel; the warps
/// share the parts.
template <class Part>
__device__ Moments merge(int parts, float count, float (*scratch)[kWarps][kTile], Part part) {
  const int warp = threadIdx.x / 32;
  const float origin = part(0).mean;
  float sum = 0.0f;
  for (int i = warp; i < parts; i += kWarps) {
    const Moments moments = part(i);
    sum += moments.count * (moments.mean - origin);
  }
  const float shift = sum_over_warps(sum, scratch[0]) / count;
  float squares = 0.0f;
  for (int i = warp; i < parts; i += kWarps) {
    const Moments moments = part(i);
    const float deviation = moments.mean - origin - shift;
    squares += moments.squares + moments.count * deviation * deviation;
  }
  return {count, origin + shift, sum_over_warps(squares, scratch[1])};
}

/// y = (x - centre) * factor + offset, then ReLU if `relu`, for the thread's share.
template <class T, int V>
__device__ void normalise(const Share<V>& share, const View<const T>& x, const View<T>& y, const FloatArray<V>& centre,
                          const FloatArray<V>& factor, const FloatArray<V>& offset, bool relu) {
  constexpr int kRows = Share<V>::kRows;
  constexpr int kInFlight = 4;  // pixels loaded before the first is stored
  if (share.channel >= x.c) return;
  for (int pixel = share.begin + share.row; pixel < share.end; pixel += kInFlight * kRows) {
    FloatArray<V> values[kInFlight] = {};
#pragma unroll
    for (int k = 0; k < kInFlight; ++k) {
      if (pixel + k * kRows < share.end) values[k] = load<V>(x.pixel(pixel + k * kRows) + share.channel);
    }
#pragma unroll
    for (int k = 0; k < kInFlight; ++k) {
      if (pixel + k * kRows >= share.end) continue;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const float value = (values[k][i] - centre[i]) * factor[i] + offset[i];
        values[k][i] = relu && value < 0.0f ? 0.0f : value;
      }
      store<V>(y.pixel(pixel + k * kRows) + share.channel, values[k]);
    }
  }
}

}  // namespace

// ---- forward, training ----------------------------------------------------------------------------------------------

/// Moments of each split: partials.first is the mean, partials.second the sum of squared deviations.
template <class T, int V>
__global__ void __launch_bounds__(kBlock) batch_norm_statistics(View<const T> x, int split_pixels, Partials partials) {
  constexpr int kRows = Share<V>::kRows;
  constexpr int kHeld = V == 8 ? 4 : 8;  // pixels in registers
  SHARED(TileRow, means, [kRows]);
  SHARED(TileRow, squares, [kRows]);
  SHARED(float, scratch, [2][kWarps][kTile]);
  const Share<V> share(x.pixels(), split_pixels);

  FloatArray<V> mean = {};
  FloatArray<V> deviations = {};
  if (share.channel < x.c) {
    float count = 0.0f;
    for (int pixel = share.begin + share.row; pixel < share.end; pixel += kHeld * kRows) {
      FloatArray<V> values[kHeld] = {};
      float held = 0.0f;
#pragma unroll
      for (int k = 0; k < kHeld; ++k) {
        if (pixel + k * kRows >= share.end) continue;
        values[k] = load<V>(x.pixel(pixel + k * kRows) + share.channel);
        held += 1.0f;
      }
      const float weight = held / (count + held);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < kHeld; ++k) sum += values[k][i];
        const float held_mean = sum / held;
        float held_squares = 0.0f;
#pragma unroll
        for (int k = 0; k < kHeld; ++k) {
          const float deviation = values[k][i] - held_mean;
          if (pixel + k * kRows < share.end) held_squares += deviation * deviation;
        }
        const float delta = held_mean - mean[i];
        mean[i] += delta * weight;
        deviations[i] += held_squares + count * weight * delta * delta;
      }
      count += held;
    }
  }
  store<V>(means[share.row].channel + share.column, mean);
  store<V>(squares[share.row].channel + share.column, deviations);
  __syncthreads();

  const int lane = threadIdx.x % 32;
  const Moments moments = merge(kRows, static_cast<float>(share.end - share.begin), scratch, [&](int row) -> Moments {
    return {static_cast<float>(share.pixels_of(row)), means[row].channel[lane], squares[row].channel[lane]};
  });
  const int channel = blockIdx.x * kTile + lane;
  if (threadIdx.x < 32 && channel < x.c) {
    partials.first[blockIdx.y * x.c + channel] = moments.mean;
    partials.second[blockIdx.y * x.c + channel] = moments.squares;
  }
}

/// Per-channel operands.
struct BatchNormTraining {
  const float* gamma;
  const float* beta;
  float* running_mean;
  float* running_var;
  float* mean;
  float* rstd;
  float epsilon;
  float kept, taken;  ///< weights of old and new running statistics
  bool relu;
};

template <class T, int V>
__global__ void __launch_bounds__(kBlock)
    batch_norm_forward_training(View<const T> x, View<T> y, int split_pixels, Partials partials, BatchNormTraining op) {
  SHARED(float, scratch, [2][kWarps][kTile]);
  SHARED(TileRow, coefficients, [3]);
  const Share<V> share(x.pixels(), split_pixels);
  const int lane = threadIdx.x % 32;
  const int channel = blockIdx.x * kTile + lane;
  const bool exists = channel < x.c;
  const auto count = static_cast<float>(x.pixels());
  const Moments moments = merge(gridDim.y, count, scratch, [&](int split) -> Moments {
    if (!exists) return {};
    return {static_cast<float>(min(split_pixels, x.pixels() - split * split_pixels)),
            partials.first[split * x.c + channel], partials.second[split * x.c + channel]};
  });
  if (threadIdx.x < 32) {
    const float rstd = 1.0f / sqrtf(moments.squares / count + op.epsilon);
    coefficients[0].channel[lane] = moments.mean;
    coefficients[1].channel[lane] = exists ? rstd * op.gamma[channel] : 0.0f;
    coefficients[2].channel[lane] = exists ? op.beta[channel] : 0.0f;
    if (exists && blockIdx.y == 0) {
      op.mean[channel] = moments.mean;
      op.rstd[channel] = rstd;
      op.running_mean[channel] = op.kept * op.running_mean[channel] + op.taken * moments.mean;
      if (x.pixels() > 1) {
        op.running_var[channel] = op.kept * op.running_var[channel] + op.taken * (moments.squares / (count - 1.0f));
      }
    }
  }
  __syncthreads();
  normalise<T, V>(share, x, y, load<V>(coefficients[0].channel + share.column),
                  load<V>(coefficients[1].channel + share.column), load<V>(coefficients[2].channel + share.column),
                  op.relu);
}

// ---- forward, inference ---------------------------------------------------------------------------------------------

struct BatchNormInference {
  const float* gamma;
  const float* beta;
  const float* running_mean;
  const float* running_var;
  float epsilon;
  bool relu;
};

template <class T, int V>
__global__ void __launch_bounds__(kBlock)
    batch_norm_forward_inference(View<const T> x, View<T> y, int split_pixels, BatchNormInference op) {
  const Share<V> share(x.pixels(), split_pixels);
  if (share.channel >= x.c) return;
  FloatArray<V> centre, factor, offset;
#pragma unroll
  for (int i = 0; i < V; ++i) {
    const int channel = share.channel + i;
    centre[i] = op.running_mean[channel];
    factor[i] = op.gamma[channel] / sqrtf(op.running_var[channel] + op.epsilon);
    offset[i] = op.beta[channel];
  }
  normalise<T, V>(share, x, y, centre, factor, offset, op.relu);
}

// ---- backward -------------------------------------------------------------------------------------------------------

/// Sums of each split: partials.first of dy, partials.second of dy * (x - mean).
template <class T, int V>
__global__ void __launch_bounds__(kBlock) batch_norm_gradient_sums(View<const T> x, View<const T> dy, const float* mean,
                                                                   int split_pixels, Partials partials) {
  constexpr int kRows = Share<V>::kRows;
  constexpr int kInFlight = 4;
  SHARED(TileRow, rows, [2][kRows]);
  SHARED(float, scratch, [2][kWarps][kTile]);
  const Share<V> share(x.pixels(), split_pixels);

  FloatArray<V> sum = {};
  FloatArray<V> product_sum = {};
  if (share.channel < x.c) {
    FloatArray<V> centre;
#pragma unroll
    for (int i = 0; i < V; ++i) centre[i] = mean[share.channel + i];
    for (int pixel = share.begin + share.row; pixel < share.end; pixel += kInFlight * kRows) {
      FloatArray<V> inputs[kInFlight] = {};
      FloatArray<V> gradients[kInFlight] = {};
#pragma unroll
      for (int k = 0; k < kInFlight; ++k) {
        if (pixel + k * kRows >= share.end) continue;
        inputs[k] = load<V>(x.pixel(pixel + k * kRows) + share.channel);
        gradients[k] = load<V>(dy.pixel(pixel + k * kRows) + share.channel);
      }
#pragma unroll
      for (int k = 0; k < kInFlight; ++k) {
        if (pixel + k * kRows >= share.end) continue;
#pragma unroll
        for (int i = 0; i < V; ++i) {
          sum[i] += gradients[k][i];
          product_sum[i] += gradients[k][i] * (inputs[k][i] - centre[i]);
        }
      }
    }
  }
  store<V>(rows[0][share.row].channel + share.column, sum);
  store<V>(rows[1][share.row].channel + share.column, product_sum);
  __syncthreads();

  const int lane = threadIdx.x % 32;
  float sums[2] = {};
#pragma unroll
  for (int row = threadIdx.x / 32; row < kRows; row += kWarps) {
    sums[0] += rows[0][row].channel[lane];
    sums[1] += rows[1][row].channel[lane];
  }
  sums[0] = sum_over_warps(sums[0], scratch[0]);
  sums[1] = sum_over_warps(sums[1], scratch[1]);
  const int channel = blockIdx.x * kTile + lane;
  if (threadIdx.x < 32 && channel < x.c) {
    partials.first[blockIdx.y * x.c + channel] = sums[0];
    partials.second[blockIdx.y * x.c + channel] = sums[1];
  }
}

struct BatchNormGradient {
  const float* gamma;
  const float* mean;
  const float* rstd;
  float* dgamma;
  float* dbeta;
  bool accumulate;
};

/// dx = gamma * rstd * (dy - sum(dy) / m - (x - mean) * slope),  slope = rstd^2 * sum(dy * (x - mean)) / m,  m pixels.
template <class T, int V>
__global__ void __launch_bounds__(kBlock)
    batch_norm_backward(View<const T> x, View<const T> dy, Gradient<T> target, int split_pixels, Partials partials,
                        BatchNormGradient op) {
  constexpr int kRows = Share<V>::kRows;
  constexpr int kInFlight = 4;
  SHARED(float, scratch, [2][kWarps][kTile]);
  SHARED(TileRow, coefficients, [4]);
  const Share<V> share(x.pixels(), split_pixels);
  const int lane = threadIdx.x % 32;
  const int channel = blockIdx.x * kTile + lane;
  const bool exists = channel < x.c;
  float sum = 0.0f;
  float product_sum = 0.0f;
  for (int split = threadIdx.x / 32; exists && split < static_cast<int>(gridDim.y); split += kWarps) {
    sum += partials.first[split * x.c + channel];
    product_sum += partials.second[split * x.c + channel];
  }
  sum = sum_over_warps(sum, scratch[0]);
  product_sum = sum_over_warps(product_sum, scratch[1]);
  if (threadIdx.x < 32) {
    const auto count = static_cast<float>(x.pixels());
    const float rstd = exists ? op.rstd[channel] : 0.0f;
    const float gamma_gradient = product_sum * rstd;
    coefficients[0].channel[lane] = exists ? op.mean[channel] : 0.0f;
    coefficients[1].channel[lane] = exists ? op.gamma[channel] * rstd : 0.0f;
    coefficients[2].channel[lane] = sum / count;
    coefficients[3].channel[lane] = gamma_gradient / count * rstd;
    if (exists && blockIdx.y == 0) {
      op.dgamma[channel] = (op.accumulate ? op.dgamma[channel] : 0.0f) + gamma_gradient;
      op.dbeta[channel] = (op.accumulate ? op.dbeta[channel] : 0.0f) + sum;
    }
  }
  __syncthreads();
  if (share.channel >= x.c) return;
  const auto centre = load<V>(coefficients[0].channel + share.column);
  const auto factor = load<V>(coefficients[1].channel + share.column);
  const auto average = load<V>(coefficients[2].channel + share.column);
  const auto slope = load<V>(coefficients[3].channel + share.column);
  for (int pixel = share.begin + share.row; pixel < share.end; pixel += kInFlight * kRows) {
    FloatArray<V> inputs[kInFlight] = {};
    FloatArray<V> gradients[kInFlight] = {};
#pragma unroll
    for (int k = 0; k < kInFlight; ++k) {
      if (pixel + k * kRows >= share.end) continue;
      inputs[k] = load<V>(x.pixel(pixel + k * kRows) + share.channel);
      gradients[k] = load<V>(dy.pixel(pixel + k * kRows) + share.channel);
    }
#pragma unroll
    for (int k = 0; k < kInFlight; ++k) {
      if (pixel + k * kRows >= share.end) continue;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        gradients[k][i] = factor[i] * (gradients[k][i] - average[i] - (inputs[k][i] - centre[i]) * slope[i]);
      }
      store<V>(target, pixel + k * kRows, share.channel, gradients[k]);
    }
  }
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::batch_norm_forward_training(const BatchNormForwardTraining& op, Workspace workspace) {
  const auto& [epsilon, momentum, relu] = op.attributes;
  const BatchNormTraining parameters = {values<const float>(op.gamma),  values<const float>(op.beta),
                                        values<float>(op.running_mean), values<float>(op.running_var),
                                        values<float>(op.mean),         values<float>(op.rstd),
                                        static_cast<float>(epsilon),    static_cast<float>(1.0 - momentum),
                                        static_cast<float>(momentum),   relu};
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const Splits splits = splits_of(x.pixels(), x.c);
    const Partials partials = partials_in(workspace, x.c, splits);
    const dim3 grid = grid_of(x.c, splits);
    for_width<T>(
        [&]<int V>() {
          launch<batch_norm_statistics<T, V>>(grid, kBlock, 0, stream_, x, splits.pixels, partials);
          launch<cuda::batch_norm_forward_training<T, V>>(grid, kBlock, 0, stream_, x, y, splits.pixels, partials,
                                                          parameters);
        },
        x, y);
  });
}

void CudaBackend::batch_norm_forward_inference(const BatchNormForwardInference& op, Workspace) {
  const BatchNormInference parameters = {values<const float>(op.gamma),
                                         values<const float>(op.beta),
                                         values<const float>(op.running_mean),
                                         values<const float>(op.running_var),
                                         static_cast<float>(op.attributes.epsilon),
                                         op.attributes.relu};
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const Splits splits = splits_of(x.pixels(), x.c);
    for_width<T>(
        [&]<int V>() {
          launch<cuda::batch_norm_forward_inference<T, V>>(grid_of(x.c, splits), kBlock, 0, stream_, x, y,
                                                           splits.pixels, parameters);
        },
        x, y);
  });
}

void CudaBackend::batch_norm_backward(const BatchNormBackward& op, Workspace workspace) {
  const BatchNormGradient parameters = {values<const float>(op.gamma), values<const float>(op.mean),
                                        values<const float>(op.rstd),  values<float>(op.dgamma),
                                        values<float>(op.dbeta),       op.accumulate};
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    const Splits splits = splits_of(x.pixels(), x.c);
    const Partials partials = partials_in(workspace, x.c, splits);
    const dim3 grid = grid_of(x.c, splits);
    for_width<T>(
        [&]<int V>() {
          launch<batch_norm_gradient_sums<T, V>>(grid, kBlock, 0, stream_, x, dy, parameters.mean, splits.pixels,
                                                 partials);
          launch<cuda::batch_norm_backward<T, V>>(grid, kBlock, 0, stream_, x, dy, target, splits.pixels, partials,
                                                  parameters);
        },
        x, dy, target);
  });
}

Requirements CudaBackend::needs(const BatchNormForwardTraining& op) { return {partials_bytes(op.x), 0}; }
Requirements CudaBackend::needs(const BatchNormBackward& op) { return {partials_bytes(op.x), 0}; }

}  // namespace minception
