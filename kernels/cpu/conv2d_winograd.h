#pragma once
/// Selection of convolutions for Winograd's minimal filtering. See conv2d_winograd.cpp.

#include "core/tensor.h"
#include "kernels/operations.h"

#include <cstdint>

namespace minception::cpu {

/// Channels transformed at a time. Input and output channels must be multiples of it.
inline constexpr std::int64_t kWinogradLanes = 16;
/// Outputs of a tile along one axis.
inline constexpr std::int64_t kWinogradTile = 4;

/// Whether Winograd is faster, measured on GoogLeNet's shapes at batches of 1 to 128. `out` is y in forward, dx in
/// backward data and dy in backward weights. With fewer pixels the filter transform costs more than it saves. In bf16,
/// where oneDNN multiplies twice as fast, Winograd needs tiles mostly inside the image and at least 32 channels.
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
  // Multiplications of direct convolution / those of the tiles, whose outputs may be partly outside the image.
  const double saved = static_cast<double>(9 * out.h() * out.w()) / static_cast<double>(36 * rows * columns);
  return out.pixels() >= kFewestPixels && saved >= least_saved;
}

}  // namespace minception::cpu
