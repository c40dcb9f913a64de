#pragma once
/// Conversion between tensors in memory (channels-last) and in files (PyTorch's order).

#include "core/dtype.h"
#include "core/safetensors.h"
#include "core/shape.h"

#include <cstddef>
#include <span>
#include <vector>

namespace minception {

/// Rank 4: (A, B, H, W) stored as (A, H, W, B) becomes row-major (A, B, H, W); other ranks are copied.
std::vector<std::byte> channels_last_to_file(std::span<const std::byte> memory, const Shape& shape, DType dtype);
/// The inverse.
std::vector<std::byte> file_to_channels_last(std::span<const std::byte> file, const Shape& shape, DType dtype);

/// Converts values to a compute dtype (f32, f64, bf16).
FileTensor to_file_tensor(std::span<const double> values, const Shape& shape, DType dtype);
/// Exact values of f32, f64, bf16 and f16 tensors.
std::vector<double> to_doubles(const FileTensor& tensor);

}  // namespace minception
