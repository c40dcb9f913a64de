#pragma once
/// IDX files, the format of MNIST and similar data sets: a big-endian magic number, the extents, then one byte per
/// element. Files may be compressed with gzip.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

namespace minception {

inline constexpr std::int64_t kAllOfIdx = std::numeric_limits<std::int64_t>::max();

struct IdxImages {
  std::int64_t count = 0;  ///< from the header
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;  ///< (images read, height, width)
};

/// Reads at most the first `most` images (magic 0x00000803); the rest of the file is neither read nor checked. Throws
/// Error with the file name for another magic, an extent of zero, fewer or more bytes than the extents require, and
/// damaged compression. Memory grows with the bytes actually read, so untrusted extents are safe.
IdxImages read_idx_images(const std::filesystem::path& path, std::int64_t most = kAllOfIdx);

/// Reads labels (magic 0x00000801), with the same checks.
std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path, std::int64_t most = kAllOfIdx);
/// Number of labels according to the header.
std::int64_t count_idx_labels(const std::filesystem::path& path);

}  // namespace minception
