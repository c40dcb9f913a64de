#include "data/idx.h"
#include "core/error.h"
#include "data/byte_stream.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace minception {
namespace {

constexpr std::uint32_t kImageMagic = 0x00000803;  // unsigned bytes, three extents
constexpr std::uint32_t kLabelMagic = 0x00000801;  // unsigned bytes, one extent

std::string hexadecimal(std::uint32_t value) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[value >> shift & 15];
  return text;
}

/// Reads the magic number and the extents.
template <std::size_t rank>
std::array<std::int64_t, rank> read_header(ByteStream& stream, std::uint32_t expected_magic, const char* content) {
  const auto next = [&] {
    std::array<std::uint8_t, 4> bytes{};
    require(stream.read(bytes.data(), bytes.size()) == bytes.size(), stream.name(),
            ": ends within its header: the file is truncated; ", ByteStream::kRemedy);
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
  };
  const std::uint32_t magic = next();
  require(magic == expected_magic, stream.name(), ": magic number ", hexadecimal(magic), " instead of ",
          hexadecimal(expected_magic), ": not an IDX file of ", content);
  std::array<std::int64_t, rank> extents{};
  for (std::int64_t& extent : extents) extent = next();
  for (std::int64_t extent : extents) {
    require(extent > 0, stream.name(), ": the header declares an extent of 0: the file contains no ", content);
  }
  return extents;
}

/// Reads the first `wanted` of the `expected` data bytes; if both are equal, also checks that the file ends there.
std::vector<std::uint8_t> read_body(ByteStream& stream, std::uint64_t expected, std::uint64_t wanted) {
  std::vector<std::uint8_t> bytes = stream.read_up_to(wanted);
  if (wanted < expected && bytes.size() == wanted) return bytes;
  require(bytes.size() == expected, stream.name(), ": the header declares ", expected,
          " bytes of data but the file has ", bytes.size(), ": the file is truncated; ", ByteStream::kRemedy);
  // Reading to the end also makes zlib check the checksum.
  std::uint8_t extra = 0;
  require(stream.read(&extra, 1) == 0, stream.name(), ": the file has more than the ", expected,
          " bytes of data that the header declares; ", ByteStream::kRemedy);
  return bytes;
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& path, std::int64_t most) {
  ByteStream stream(path);
  const auto [count, height, width] = read_header<3>(stream, kImageMagic, "images");
  std::int64_t bytes = 0;
  require(!__builtin_mul_overflow(count, height, &bytes) && !__builtin_mul_overflow(bytes, width, &bytes),
          stream.name(), ": the header declares ", count, " images of ", height, 'x', width,
          ", which is too large for a file; ", ByteStream::kRemedy);
  const std::int64_t wanted = std::min(count, most) * height * width;
  return {count, height, width,
          read_body(stream, static_cast<std::uint64_t>(bytes), static_cast<std::uint64_t>(wanted))};
}

std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path, std::int64_t most) {
  ByteStream stream(path);
  const auto [count] = read_header<1>(stream, kLabelMagic, "labels");
  return read_body(stream, static_cast<std::uint64_t>(count), static_cast<std::uint64_t>(std::min(count, most)));
}

std::int64_t count_idx_labels(const std::filesystem::path& path) {
  ByteStream stream(path);
  return read_header<1>(stream, kLabelMagic, "labels")[0];
}

}  // namespace minception
