#pragma once
/// Sequential reading of a file, plain or compressed with gzip.

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

  /// Reads up to `count` bytes and returns the number read, which is smaller only at the end of the file. Throws Error
  /// for a read error and for compressed data that are damaged or truncated.
  std::size_t read(std::uint8_t* destination, std::size_t count);

  /// Reads up to `count` bytes. Memory grows with the bytes actually read, so an untrusted count is safe.
  std::vector<std::uint8_t> read_up_to(std::uint64_t count);

  const std::string& name() const { return name_; }
  static constexpr const char* kRemedy = "copy or download it again";

 private:
  std::string name_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_{nullptr, gzclose_r};
};

}  // namespace minception
