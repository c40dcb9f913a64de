#pragma once
/// Between tensors in memory (channels-last) and tensors in files (PyTorch's order).

#include <minception/core/dtype.h>
#include <minception/core/safetensors.h>
#include <minception/core/shape.h>

#include <cstddef>
#include <span>
#include <vector>

namespace minception {

/// Rank 4: (A, B, H, W) stored as (A, H, W, B) becomes row-major (A, B, H, W); other ranks are copied.
std::vector<std::byte> channels_last_to_file(std::span<const std::byte> memory, const Shape& shape, DType dtype);
/// The inverse.
std::vector<std::byte> file_to_channels_last(std::span<const std::byte> file, const Shape& shape, DType dtype);

/// Values to the floating dtypes that networks compute with (f32, f64, bf16).
FileTensor to_file_tensor(std::span<const double> values, const Shape& shape, DType dtype);
/// Values of these and of f16, exactly.
std::vector<double> to_doubles(const FileTensor& tensor);

}  // namespace minception
