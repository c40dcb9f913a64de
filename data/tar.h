#pragma once
/// Tar archives (POSIX.1-1988 "ustar", as GNU tar, bsdtar and Python's tarfile write them), read once from front to back
/// and compressed with gzip or not.

#include <minception/data/byte_stream.h>

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

  /// The next regular file, or nothing behind the last one; what `content` has not read is passed over, as are folders,
  /// links and the headers that only carry attributes. Names longer than a header holds come as far as it holds them.
  /// Throws Error with the archive's name for a file that is no archive, is damaged or ends too early.
  std::optional<TarMember> next();

  /// The bytes of the file that `next` returned last. Throws Error if the archive ends before.
  std::vector<std::uint8_t> content();

  const std::string& name() const { return stream_.name(); }

 private:
  /// Fills a block of 512 bytes; false at the end of the file.
  bool read_block(std::uint8_t* block);
  /// Reads on to the end of the file, which also makes zlib compare the checksum.
  void read_rest();
  [[noreturn]] void fail_truncated() const;

  ByteStream stream_;
  TarMember member_;
  std::uint64_t unread_ = 0;  // bytes of the member and its padding that are still to come
  bool at_start_ = true;
};

}  // namespace minception
