#include "data/tar.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace minception {
namespace {

constexpr std::size_t kBlock = 512;

/// Offsets and sizes of header fields.
constexpr std::size_t kName = 0, kNameSize = 100;
constexpr std::size_t kSize = 124, kSizeSize = 12;
constexpr std::size_t kChecksum = 148, kChecksumSize = 8;
constexpr std::size_t kType = 156;
constexpr std::size_t kMagic = 257;
constexpr std::size_t kPrefix = 345, kPrefixSize = 155;

std::string text(const std::uint8_t* block, std::size_t begin, std::size_t size) {
  const auto* first = reinterpret_cast<const char*>(block) + begin;
  return {first, std::find(first, first + size, '\0')};
}

/// An octal number, after optional spaces, terminated by a space, a zero byte or the end of the field; nullopt if
/// invalid.
std::optional<std::uint64_t> octal(const std::uint8_t* block, std::size_t begin, std::size_t size) {
  std::size_t at = begin;
  const std::size_t end = begin + size;
  while (at < end && block[at] == ' ') ++at;
  std::uint64_t value = 0;
  const std::size_t first = at;
  for (; at < end && block[at] >= '0' && block[at] <= '7'; ++at) value = value * 8 + (block[at] - std::uint64_t{'0'});
  if (at == first || (at < end && block[at] != ' ' && block[at] != '\0')) return std::nullopt;
  return value;
}

/// Header checksum: sum of the bytes, with the checksum field counted as spaces.
std::uint64_t sum_of(const std::uint8_t* block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    sum += i >= kChecksum && i < kChecksum + kChecksumSize ? std::uint8_t{' '} : block[i];
  }
  return sum;
}

}  // namespace

void TarReader::fail_truncated() const {
  fail(name(), ": the archive ends too early: the file is truncated; ", ByteStream::kRemedy);
}

bool TarReader::read_block(std::uint8_t* block) {
  const std::size_t got = stream_.read(block, kBlock);
  if (got > 0 && got < kBlock && !at_start_) fail_truncated();
  return got == kBlock;
}

void TarReader::read_rest() {
  std::array<std::uint8_t, 16 * kBlock> rest;
  while (stream_.read(rest.data(), rest.size()) == rest.size()) {
  }
}

std::optional<TarMember> TarReader::next() {
  std::array<std::uint8_t, kBlock> block{};
  for (;;) {
    for (; unread_ > 0; unread_ -= kBlock) {
      if (!read_block(block.data())) fail_truncated();
    }
    const bool read = read_block(block.data());
    if (!read && !at_start_) fail_truncated();  // a complete archive ends with blocks of zeros
    const bool zeros = std::all_of(block.begin(), block.end(), [](std::uint8_t byte) { return byte == 0; });
    if (read && zeros && !at_start_) {
      read_rest();
      return std::nullopt;
    }
    const std::optional<std::uint64_t> checksum =
        read ? octal(block.data(), kChecksum, kChecksumSize) : std::optional<std::uint64_t>();
    const bool sound = checksum && *checksum == sum_of(block.data());
    require(sound || !at_start_, name(), ": not a tar archive, compressed with gzip or not; ", ByteStream::kRemedy);
    require(sound, name(), ": the archive is damaged after '", member_.name, "': a header has a wrong checksum; ",
            ByteStream::kRemedy);
    at_start_ = false;
    const std::optional<std::uint64_t> size = octal(block.data(), kSize, kSizeSize);
    member_.name = text(block.data(), kName, kNameSize);
    // POSIX: "ustar" and a zero byte. GNU tar's own format has a space there and stores other data in the prefix field.
    const std::string prefix =
        std::memcmp(block.data() + kMagic, "ustar", 6) == 0 ? text(block.data(), kPrefix, kPrefixSize) : "";
    if (!prefix.empty()) member_.name = prefix + '/' + member_.name;
    require(size.has_value(), name(), ": '", member_.name, "' in the archive has an unreadable size; ",
            ByteStream::kRemedy);
    member_.size = *size;
    unread_ = (member_.size + kBlock - 1) / kBlock * kBlock;
    const std::uint8_t type = block[kType];
    if (type == '0' || type == '\0') return member_;
  }
}

std::vector<std::uint8_t> TarReader::content() {
  std::vector<std::uint8_t> bytes = stream_.read_up_to(member_.size);
  if (bytes.size() < member_.size) fail_truncated();
  std::array<std::uint8_t, kBlock> padding;
  const std::size_t left = static_cast<std::size_t>(unread_ - member_.size);
  if (stream_.read(padding.data(), left) < left) fail_truncated();
  unread_ = 0;
  return bytes;
}

}  // namespace minception
