#pragma once
/// IDX files, the format of MNIST and its family: a big-endian magic number, the extents, then one byte per
/// element. Files compressed with gzip are read as they are.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

namespace minception {

inline constexpr std::int64_t kAllOfIdx = std::numeric_limits<std::int64_t>::max();

struct IdxImages {
  std::int64_t count = 0;  ///< as the header says
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;  ///< (those read, height, width)
};

/// Reads images (magic 0x00000803). Throws Error with the file name for another magic, an extent of zero,
/// fewer or more bytes than the extents say, and damaged compression. Memory grows with the bytes that are
/// really there, so extents that lie cost nothing.
/// Reads at most the first `most` images; the rest of the file is neither read nor checked.
IdxImages read_idx_images(const std::filesystem::path& path, std::int64_t most = kAllOfIdx);

/// Reads labels (magic 0x00000801), with the same checks.
std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path, std::int64_t most = kAllOfIdx);
/// How many there are, as the header says.
std::int64_t count_idx_labels(const std::filesystem::path& path);

}  // namespace minception
