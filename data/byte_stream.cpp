#include "data/byte_stream.h"
#include "core/error.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace minception {

ByteStream::ByteStream(const std::filesystem::path& path) : name_(path.string()) {
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rb"));
  require(file_ != nullptr, name_, ": cannot be opened: ", system_message());
  gzbuffer(file_.get(), 1u << 18);
}

std::size_t ByteStream::read(std::uint8_t* destination, std::size_t count) {
  const int got = gzread(file_.get(), destination, static_cast<unsigned>(count));
  int status = Z_OK;
  const char* message = gzerror(file_.get(), &status);
  // A truncated file yields its remaining bytes and Z_BUF_ERROR; a wrong checksum is reported only at the end.
  std::string reason = status == Z_ERRNO ? system_message() : message;
  if (reason.starts_with(name_ + ": ")) reason.erase(0, name_.size() + 2);  // zlib's message repeats the file name
  require(status != Z_BUF_ERROR, name_, ": the compressed data end too early: the file is truncated; ", kRemedy);
  require(status != Z_DATA_ERROR, name_, ": the compressed data are damaged (", reason, "); ", kRemedy);
  require(got >= 0, name_, ": cannot be read: ", reason);
  return static_cast<std::size_t>(got);
}

std::vector<std::uint8_t> ByteStream::read_up_to(std::uint64_t count) {
  constexpr std::uint64_t kChunk = std::uint64_t{1} << 20;
  std::vector<std::uint8_t> bytes;
  while (bytes.size() < count) {
    const std::size_t before = bytes.size();
    const std::size_t wanted = std::min(kChunk, count - before);
    bytes.resize(before + wanted);
    const std::size_t got = read(bytes.data() + before, wanted);
    bytes.resize(before + got);
    if (got < wanted) break;
  }
  return bytes;
}

}  // namespace minception
