#pragma once
/// Weight files in the safetensors format (https://github.com/huggingface/safetensors, "Format"): an 8-byte header
/// length, a JSON header, then the elements of all tensors without gaps, little-endian and row-major.

#include "core/dtype.h"
#include "core/shape.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// One tensor in a file: row-major elements in the file's own shape, (O, I, KH, KW) for convolution weights.
struct FileTensor {
  DType dtype = DType::f32;
  Shape shape;  ///< rank 0 for a scalar
  std::vector<std::byte> bytes;

  bool operator==(const FileTensor&) const = default;
};

struct Safetensors {
  std::map<std::string, FileTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads a whole file. Throws Error with the file name and the reason if the file violates the format: a header longer
/// than the file or 100 MB, invalid JSON, a duplicate name, an unsupported dtype, byte ranges that are reversed,
/// overlap, leave gaps, exceed the file or do not match the shape, metadata that is not text. For a torch.save file the
/// Error contains the conversion command.
Safetensors read_safetensors(const std::filesystem::path& path);

/// Writes the file with `write_file_atomically`. Tensors are ordered by descending alignment, dtype and name, as in the
/// Python package. Throws Error for invalid content and if writing fails, for example on a full disk.
void write_safetensors(const std::filesystem::path& path, const Safetensors& content);

/// Writes `bytes` to a temporary file in the folder of `path`, syncs it and renames it to `path`. Throws Error and
/// leaves `path` unchanged if one of these steps fails. Then syncs the folder; throws Error if that fails.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace minception
