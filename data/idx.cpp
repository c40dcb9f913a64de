#include <minception/core/error.h>
#include <minception/data/idx.h>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>

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

/// The bytes of a file, compressed or not.
class ByteStream {
 public:
  explicit ByteStream(const std::filesystem::path& path) : name_(path.string()) {
    errno = 0;
    file_.reset(gzopen(path.c_str(), "rb"));
    require(file_ != nullptr, name_, ": cannot be opened: ", std::generic_category().message(errno));
    gzbuffer(file_.get(), 1u << 18);
  }

  /// Reads up to `count` bytes and returns how many there were.
  std::size_t read(std::uint8_t* destination, std::size_t count) {
    const int got = gzread(file_.get(), destination, static_cast<unsigned>(count));
    int status = Z_OK;
    const char* message = gzerror(file_.get(), &status);
    // A file cut short yields the bytes it has and Z_BUF_ERROR; a wrong checksum shows at the end only.
    const std::string reason = status == Z_ERRNO ? std::generic_category().message(errno) : message;
    require(status != Z_BUF_ERROR, name_, ": the compressed data end too early: the file is truncated; ", kRemedy);
    require(status != Z_DATA_ERROR, name_, ": the compressed data are damaged (", reason, "); ", kRemedy);
    require(got >= 0, name_, ": cannot be read: ", reason);
    return static_cast<std::size_t>(got);
  }

  const std::string& name() const { return name_; }
  static constexpr const char* kRemedy = "copy or download it again";

 private:
  std::string name_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_{nullptr, gzclose_r};
};

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
          hexadecimal(expected_magic), ": this is no IDX file of ", content);
  std::array<std::int64_t, rank> extents{};
  for (std::int64_t& extent : extents) extent = next();
  for (std::int64_t extent : extents) {
    require(extent > 0, stream.name(), ": the header says an extent of 0: there are no ", content, " in it");
  }
  return extents;
}

/// Reads exactly `expected` bytes and the end of the file.
std::vector<std::uint8_t> read_body(ByteStream& stream, std::uint64_t expected) {
  constexpr std::uint64_t kChunk = std::uint64_t{1} << 20;
  std::vector<std::uint8_t> bytes;
  std::uint64_t size = 0;
  while (size < expected) {
    const std::size_t wanted = std::min(kChunk, expected - size);
    bytes.resize(size + wanted);
    const std::size_t got = stream.read(bytes.data() + size, wanted);
    size += got;
    require(got == wanted, stream.name(), ": the header says ", expected, " bytes of data but there are ", size,
            ": the file is truncated; ", ByteStream::kRemedy);
  }
  // Reading on also makes zlib compare the checksum.
  std::uint8_t extra = 0;
  require(stream.read(&extra, 1) == 0, stream.name(), ": there are more than the ", expected,
          " bytes of data that the header says; ", ByteStream::kRemedy);
  return bytes;
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& path) {
  ByteStream stream(path);
  const auto [count, height, width] = read_header<3>(stream, kImageMagic, "images");
  std::int64_t bytes = 0;
  require(!__builtin_mul_overflow(count, height, &bytes) && !__builtin_mul_overflow(bytes, width, &bytes),
          stream.name(), ": the header says ", count, " images of ", height, 'x', width,
          ", which is too much for any file; ", ByteStream::kRemedy);
  return {count, height, width, read_body(stream, static_cast<std::uint64_t>(bytes))};
}

std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path) {
  ByteStream stream(path);
  const auto [count] = read_header<1>(stream, kLabelMagic, "labels");
  return read_body(stream, static_cast<std::uint64_t>(count));
}

}  // namespace minception
