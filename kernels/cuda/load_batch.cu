/// The whole input pipeline in one kernel, so that it can be part of a captured step: gathers samples from a resident
/// u8 data set, resizes them bilinearly, crops, flips, applies colour jitter and normalises. The sample indices and the
/// batch's position in the epoch are read from device memory.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/view.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace minception {
namespace cuda {
namespace {

constexpr int kMostFactors = 4;

/// Scale or shift per channel, or one value for all channels. Passed as a kernel argument.
struct ChannelFactors {
  float value[kMostFactors];
  bool one_for_all;

  __device__ float of(int channel) const {
    float factor = value[0];
    if (one_for_all) return factor;
      // A variable index would move the array to local memory.
#pragma unroll
    for (int c = 1; c < kMostFactors; ++c) factor = channel == c ? value[c] : factor;
    return factor;
  }
};

ChannelFactors channel_factors(const std::vector<float>& factors) {
  require(factors.size() <= kMostFactors, "load_batch: the cuda backend takes scale and shift for at most ",
          kMostFactors, " channels, not ", factors.size(), "; give one value for all channels");
  ChannelFactors result{{}, factors.size() == 1};
  for (std::size_t c = 0; c < factors.size(); ++c) result.value[c] = factors[c];
  return result;
}

/// A resident data set. Offsets of images are 64-bit: a data set may have more than 2^31 bytes, an image may not.
struct Images {
  View<const std::uint8_t> first;
  int count;

  __device__ const std::uint8_t* pixel(int image, int row, int column) const {
    return first.pixel(0, row, column) + static_cast<std::int64_t>(image) * (first.pixels() * first.stride);
  }
};

Images images_of(const Tensor& tensor) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  require(tensor.n() <= kMost, "load_batch: the cuda backend takes data sets of at most ", kMost, " images, not ",
          tensor.n(), "; use fewer");
  return {const_view<std::uint8_t>(tensor.first(1)), static_cast<int>(tensor.n())};
}

/// The two input indices in [begin, begin + in) that an output index interpolates, and the weight of the second. The
/// position (index + 1/2) * in / out - 1/2 is a fraction over 2 * out, which integers represent exactly.
struct Neighbours {
  int first, second;
  float weight;

  __device__ Neighbours(int index, int begin, int in, int out) {
    const int denominator = 2 * out;
    const int last = (in - 1) * denominator;
    int numerator = (2 * index + 1) * in - out;
    numerator = numerator < 0 ? 0 : numerator;
    numerator = numerator > last ? last : numerator;
    const int before = numerator / denominator;
    first = begin + before;
    second = before + 1 < in ? first + 1 : first;
    weight = static_cast<float>(numerator - before * denominator) / static_cast<float>(denominator);
  }
};

}  // namespace

/// One thread per pixel of y; the thread of the first pixel of an image copies its label. Each thread draws the
/// augmentation of its image: a few Philox blocks cost less than sharing it. An index out of range gives NaN and label
/// -1.
template <class T>
__global__ void __launch_bounds__(kElementwiseBlock)
    load_batch(Images images, const int* labels, const int* indices, Augmentation augmentation,
               const std::int64_t* augmentation_position, ChannelFactors scale, ChannelFactors shift, View<T> y,
               int* y_labels) {
  const auto [pixel, channel, in_batch] = thread_place<1>(y.pixels(), 1);
  if (!in_batch) return;
  const auto [n, row_out, column_out] = position(y, pixel);
  T* out = y.pixel(pixel);

  const int sample = indices[n];
  const bool known = sample >= 0 && sample < images.count;
  if (row_out == 0 && column_out == 0) y_labels[n] = known ? labels[sample] : -1;
  if (!known) {
    for (int c = 0; c < y.c; ++c) out[c] = static_cast<T>(nanf(""));
    return;
  }

  const auto [moved, part, colour] = augmentation.draw(augmentation_position, n, images.first.h, images.first.w);
  const int p = moved.row(row_out);
  const int q = moved.column(column_out, y.w);
  const bool inside = p >= 0 && p < y.h && q >= 0 && q < y.w;
  const Neighbours row(p, part.top, part.height, y.h);
  const Neighbours column(q, part.left, part.width, y.w);
  const std::uint8_t* top_left = images.pixel(sample, row.first, column.first);
  const std::uint8_t* top_right = images.pixel(sample, row.first, column.second);
  const std::uint8_t* bottom_left = images.pixel(sample, row.second, column.first);
  const std::uint8_t* bottom_right = images.pixel(sample, row.second, column.second);
  const auto resized = [&](int c) {
    const auto mix = [&](const std::uint8_t* left, const std::uint8_t* right) {
      const float at_left = left[c];
      return at_left + (right[c] - at_left) * column.weight;
    };
    const float top = mix(top_left, top_right);
    return inside ? top + (mix(bottom_left, bottom_right) - top) * row.weight : 0.0f;
  };
  const bool recoloured = colour.changes();
  const float grey = colour.saturation != 1.0f ? ColourJitter::grey(resized(0), resized(1), resized(2)) : 0.0f;
  for (int c = 0; c < y.c; ++c) {
    const float value = recoloured ? colour.of(resized(c), grey) : resized(c);
    out[c] = static_cast<T>(value * scale.of(c) + shift.of(c));
  }
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::load_batch(const LoadBatch& op, Workspace) {
  const auto* const augmentation_position = values<const std::int64_t>(op.position);
  for_dtype(op.y, [&]<class T>() {
    const Images images = images_of(op.images);
    const View<T> y = view<T>(op.y);
    launch<cuda::load_batch<T>>(ceil_div(y.pixels(), kElementwiseBlock), kElementwiseBlock, 0, stream_, images,
                                op.labels.as<const std::int32_t>(), op.indices.as<const std::int32_t>(),
                                op.augmentation, augmentation_position, channel_factors(op.scale),
                                channel_factors(op.shift), y, op.y_labels.as<std::int32_t>());
  });
}

}  // namespace minception
