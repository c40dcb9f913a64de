#pragma once
/// Weights in files: the safetensors format (https://github.com/huggingface/safetensors, "Format"): eight bytes of header
/// length, a JSON header, then the elements of all tensors without gaps, little-endian and row-major.

#include <minception/core/dtype.h>
#include <minception/core/shape.h>

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

/// Reads a whole file. Throws Error with the file name and the reason for anything that the format does not allow:
/// a header longer than the file or than 100 MB, no valid JSON, a duplicate name, an unknown dtype, byte ranges that
/// are reversed, overlap, leave gaps, run past the end or do not match the shape, metadata that is not text. For a file
/// of torch.save the Error holds the command that converts it.
Safetensors read_safetensors(const std::filesystem::path& path);

/// Writes beside `path`, syncs and renames: `path` holds either what it held before or the whole new content. Tensors
/// lie in order of falling alignment, then name, as the Python package writes them. Throws Error when the disk is full.
void write_safetensors(const std::filesystem::path& path, const Safetensors& content);

/// Writes `bytes` to a new file beside `path`, syncs it and renames it to `path`. Throws Error and leaves `path`
/// untouched if any of that fails.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace minception
