/// Gathers samples from a resident u8 data set, resizes them bilinearly, crops and flips them and normalises them: the
/// whole input pipeline in one kernel, so that it can be part of a captured step. Which samples, and where in the epoch
/// the batch begins, is read from device memory.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/elementwise.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/view.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace minception {
namespace cuda {
namespace {

constexpr int kMostFactors = 4;

/// Scale and shift per channel, or one for all channels. They travel with the launch.
struct ChannelFactors {
  float value[kMostFactors];
  bool one_for_all;

  __device__ float of(int channel) const {
    float factor = value[0];
    if (one_for_all) return factor;
      // Indexing with a variable would move the array to local memory.
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

/// Between which two of `in` input indices from `begin` on an output index samples, and the weight of the second. The
/// position (index + 1/2) * in / out - 1/2 is a fraction over 2 * out, so integers have it exactly.
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

/// One thread per pixel of y; the first pixel of an image takes its label along. The threads of an image draw the same
/// augmentation each for itself: a few Philox blocks are cheaper than sharing it.
template <class T>
__global__ void __launch_bounds__(kElementwiseBlock)
    load_batch(View<const std::uint8_t> images, const int* labels, const int* indices, AugmentationSource augmentation,
               ChannelFactors scale, ChannelFactors shift, View<T> y, int* y_labels) {
  const auto [pixel, channel, in_batch] = thread_place<1>(y.pixels(), 1);
  if (!in_batch) return;
  const auto [n, row_out, column_out] = position(y, pixel);
  T* out = y.pixel(pixel);

  const int sample = indices[n];
  const bool known = sample >= 0 && sample < images.n;
  if (row_out == 0 && column_out == 0) y_labels[n] = known ? labels[sample] : -1;
  if (!known) {
    for (int c = 0; c < y.c; ++c) out[c] = static_cast<T>(nanf(""));
    return;
  }

  const auto [moved, part, colour] = augmentation.draw(n, images.h, images.w);
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
  const float grey = colour.saturation != 1.0f ? Colour::grey(resized(0), resized(1), resized(2)) : 0.0f;
  for (int c = 0; c < y.c; ++c) {
    const float value = recoloured ? colour.of(resized(c), grey) : resized(c);
    out[c] = static_cast<T>(value * scale.of(c) + shift.of(c));
  }
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::load_batch(const LoadBatch& op, Workspace) {
  const AugmentationSource augmentation = op.augmentation.source(op.position);
  for_dtype(op.y, [&]<class T>() {
    const View<const std::uint8_t> images = const_view<std::uint8_t>(op.images);
    const View<T> y = view<T>(op.y);
    launch<cuda::load_batch<T>>(blocks_for(y.pixels(), kElementwiseBlock), kElementwiseBlock, 0, stream_, images,
                                op.labels.as<const std::int32_t>(), op.indices.as<const std::int32_t>(), augmentation,
                                channel_factors(op.scale), channel_factors(op.shift), y,
                                op.y_labels.as<std::int32_t>());
  });
}

}  // namespace minception
