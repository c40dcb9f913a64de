#pragma once
/// Which convolutions are computed by Winograd's minimal filtering. See conv2d_winograd.cpp.

#include <minception/core/tensor.h>
#include <minception/kernels/operations.h>

#include <cstdint>

namespace minception::cpu {

/// Channels that are transformed at a time; there must be a multiple of them on both sides.
inline constexpr std::int64_t kWinogradLanes = 16;
/// Outputs of a tile along an axis.
inline constexpr std::int64_t kWinogradTile = 4;

/// Whether the convolution that writes `out` (or whose output gradient that is) takes less time in tiles. Measured on
/// GoogLeNet's shapes at batches of 1 to 128. With fewer pixels transforming the filter costs more than it saves; in bf16,
/// where oneDNN multiplies twice as fast, it takes tiles that lie within the image for the most part, and channels enough.
inline bool suits_winograd(const Conv2dAttributes& attributes, const Tensor& w, const Tensor& out) {
  constexpr std::int64_t kFewestPixels = 512;
  const bool is_bf16 = out.dtype == DType::bf16;
  const std::int64_t fewest_channels = is_bf16 ? 32 : kWinogradLanes;
  const double least_saved = is_bf16 ? 3.0 : 2.0;

  if (w.shape[2] != 3 || w.shape[3] != 3 || attributes.stride != Extent2d{1, 1}) return false;
  if (attributes.padding.h > 2 || attributes.padding.w > 2) return false;
  for (const std::int64_t channels : {w.shape[0], w.shape[1]}) {
    if (channels % kWinogradLanes != 0 || channels < fewest_channels) return false;
  }
  const std::int64_t rows = (out.h() + kWinogradTile - 1) / kWinogradTile;
  const std::int64_t columns = (out.w() + kWinogradTile - 1) / kWinogradTile;
  // Multiplications of the filter over those of the tiles, some of whose outputs may lie outside.
  const double saved = static_cast<double>(9 * out.h() * out.w()) / static_cast<double>(36 * rows * columns);
  return out.pixels() >= kFewestPixels && saved >= least_saved;
}

}  // namespace minception::cpu
