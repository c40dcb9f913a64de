#include "data/pixel_cache.h"
#include "core/error.h"
#include "core/random.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace minception {
namespace {

namespace fs = std::filesystem;

/// File header. The pixels follow in the order of the images, which all have the same size.
struct Header {
  std::array<char, 16> magic = {'m', 'i', 'n', 'c', 'e', 'p', 't', 'i', 'o', 'n', ' ', 'p', 'x', '1', '\n', '\0'};
  std::uint64_t key = 0;
  std::int64_t images = 0, height = 0, width = 0, channels = 0;
  bool operator==(const Header&) const = default;
};

std::size_t pixel_bytes(std::int64_t images, std::int64_t height, std::int64_t width, std::int64_t channels) {
  std::int64_t bytes = 0;
  const bool fits = !__builtin_mul_overflow(images, height * width * channels, &bytes);
  require(fits, images, " images of ", height, 'x', width, " are larger than any file");
  return static_cast<std::size_t>(bytes);
}

}  // namespace

MappedFile::MappedFile(int file, std::size_t bytes, bool writable) : file_(file), size_(bytes) {
  void* const data = ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) {
    const std::string reason = system_message();
    ::close(file_);
    fail("a file of ", bytes, " bytes cannot be mapped into memory: ", reason);
  }
  data_ = static_cast<std::uint8_t*>(data);
}

MappedFile::~MappedFile() {
  ::munmap(data_, size_);
  ::close(file_);
}

PixelCache::PixelCache(fs::path folder, const std::string& key) : folder_(std::move(folder)), key_(name_hash(key)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  require(fs::is_directory(folder_), folder_.string(), ": cannot create the cache folder",
          error ? ": " + error.message() : "");
  char name[32];
  std::snprintf(name, sizeof name, "%016llx.pixels", static_cast<unsigned long long>(key_));
  path_ = folder_ / name;
}

CachedPixels PixelCache::find(std::int64_t images, std::int64_t height, std::int64_t width) const {
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  Header header;
  struct stat status = {};
  const bool read = ::read(file, &header, sizeof header) == sizeof header && ::fstat(file, &status) == 0;
  const Header expected = {
      .key = key_, .images = images, .height = height, .width = width, .channels = header.channels};
  const bool fits =
      read && header == expected && (header.channels == 1 || header.channels == 3) &&
      static_cast<std::size_t>(status.st_size) == sizeof header + pixel_bytes(images, height, width, header.channels);
  if (!fits) {
    ::close(file);
    return {};
  }
  auto mapped = std::make_shared<const MappedFile>(file, static_cast<std::size_t>(status.st_size), false);
  const std::span<const std::uint8_t> pixels = mapped->bytes().subspan(sizeof header);
  return {std::move(mapped), pixels, header.channels};
}

std::span<std::uint8_t> PixelCache::reserve(std::int64_t images, std::int64_t height, std::int64_t width) {
  images_ = images, height_ = height, width_ = width;
  // The system deletes an unnamed file when the process ends, also after a crash.
  int file = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (file < 0) {
    partial_ = path_;
    partial_ += ".partial-" + std::to_string(::getpid());
    file = ::open(partial_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  require(file >= 0, folder_.string(), ": cannot write to the cache folder: ", system_message());
  const std::size_t bytes = sizeof(Header) + pixel_bytes(images, height, width, 3);
  // Reserve the space: writing to a mapped file on a full disk raises a signal instead of an error.
  if (const int error = ::posix_fallocate(file, 0, static_cast<off_t>(bytes)); error != 0) {
    ::close(file);
    if (!partial_.empty()) ::unlink(partial_.c_str());
    fail(folder_.string(), ": the cache needs ", (bytes >> 20) + 1, " MiB: ", system_message(error),
         "; free space, or name another folder as ", Field{"cache"});
  }
  writing_ = std::make_unique<MappedFile>(file, bytes, true);
  return writing_->bytes().subspan(sizeof(Header));
}

void PixelCache::commit(bool grey) {
  const Header header = {.key = key_, .images = images_, .height = height_, .width = width_, .channels = grey ? 1 : 3};
  const std::span<std::uint8_t> bytes = writing_->bytes();
  std::memcpy(bytes.data(), &header, sizeof header);
  if (grey) {
    const std::span<std::uint8_t> pixels = bytes.subspan(sizeof header);
    for (std::size_t i = 0; i < pixels.size() / 3; ++i) pixels[i] = pixels[3 * i];
  }
  const int file = writing_->descriptor();
  const std::size_t kept = sizeof header + pixel_bytes(images_, height_, width_, header.channels);
  const auto check = [&](bool done) {
    require(done, path_.string(), ": the cache cannot be written: ", system_message());
  };
  check(::msync(bytes.data(), bytes.size(), MS_SYNC) == 0);
  check(::ftruncate(file, static_cast<off_t>(kept)) == 0);
  check(::fsync(file) == 0);
  if (partial_.empty()) {
    const std::string self = "/proc/self/fd/" + std::to_string(file);
    ::unlink(path_.c_str());  // remove a file that does not match
    // EEXIST: another process has completed the same file in the meantime.
    check(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST);
  } else {
    check(::rename(partial_.c_str(), path_.c_str()) == 0);
  }
  writing_.reset();
}

}  // namespace minception
