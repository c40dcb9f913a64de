#pragma once
/// The bytes of a file in order, decompressed where it was compressed with gzip.

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace minception {

class ByteStream {
 public:
  /// Throws Error if the file cannot be opened.
  explicit ByteStream(const std::filesystem::path& path);

  /// Reads up to `count` bytes and returns how many there were: fewer at the end alone. Throws Error for compressed data
  /// that are damaged or end too early.
  std::size_t read(std::uint8_t* destination, std::size_t count);

  /// Reads as many bytes as there are, up to `count`. Memory grows with the bytes that are really there, so a count that
  /// lies costs nothing.
  std::vector<std::uint8_t> read_up_to(std::uint64_t count);

  const std::string& name() const { return name_; }
  static constexpr const char* kRemedy = "copy or download it again";

 private:
  std::string name_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_{nullptr, gzclose_r};
};

}  // namespace minception
