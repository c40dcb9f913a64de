#pragma once
/// Sequential reading of tar archives (POSIX.1-1988 "ustar", as written by GNU tar, bsdtar and Python's tarfile), plain
/// or compressed with gzip.

#include "data/byte_stream.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace minception {

struct TarMember {
  std::string name;        ///< with its folders: "cifar-10-batches-bin/data_batch_1.bin"
  std::uint64_t size = 0;  ///< bytes
};

class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& path) : stream_(path) {}

  /// The next regular file, or nullopt after the last. Skips unread content, folders, links and headers that only carry
  /// attributes. Names longer than a header field are truncated. Throws Error with the archive's name for a file that
  /// is not an archive, damaged or truncated.
  std::optional<TarMember> next();

  /// Content of the file that `next` returned last. Throws Error if the archive is truncated.
  std::vector<std::uint8_t> content();

  const std::string& name() const { return stream_.name(); }

 private:
  /// Fills a block of 512 bytes; false at the end of the file.
  bool read_block(std::uint8_t* block);
  /// Reads to the end of the file, which also makes zlib check the checksum.
  void read_rest();
  [[noreturn]] void fail_truncated() const;

  ByteStream stream_;
  TarMember member_;
  std::uint64_t unread_ = 0;  // unread bytes of the member and its padding
  bool at_start_ = true;
};

}  // namespace minception
