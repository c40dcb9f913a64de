#pragma once
/// Cache file with the decoded and resized pixels of image files, mapped into memory. Trainings with many images or
/// large photos decode them once and do not keep them in memory.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace minception {

/// A file mapped into memory; the system reads pages on demand and drops them when memory is short.
class MappedFile {
 public:
  /// Takes ownership of the open descriptor `file`. Throws Error, and closes it, if mapping fails.
  MappedFile(int file, std::size_t bytes, bool writable);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<std::uint8_t> bytes() const { return {data_, size_}; }
  int descriptor() const { return file_; }

 private:
  int file_;
  std::uint8_t* data_ = nullptr;
  std::size_t size_;
};

/// Cached pixels, (N, H, W, C). `file` is nullptr if there are none.
struct CachedPixels {
  std::shared_ptr<const MappedFile> file;
  std::span<const std::uint8_t> pixels;
  std::int64_t channels = 0;
};

/// A file in a cache folder: "<hash of the key>.pixels". It appears complete or not at all, even if the process is
/// killed while writing.
class PixelCache {
 public:
  /// `key`: everything that the pixels depend on. Creates the folder if missing. Throws Error if that fails.
  PixelCache(std::filesystem::path folder, const std::string& key);

  /// Pixels of `images` images of height x width from an earlier call; empty without a matching file.
  CachedPixels find(std::int64_t images, std::int64_t height, std::int64_t width) const;

  /// Memory for the RGB pixels, with disk space reserved. Throws Error if the disk is full.
  std::span<std::uint8_t> reserve(std::int64_t images, std::int64_t height, std::int64_t width);
  /// Completes the file; for `grey`, keeps one channel. Throws Error if it cannot be written.
  void commit(bool grey);

 private:
  std::filesystem::path folder_, path_;
  std::uint64_t key_;
  std::int64_t images_ = 0, height_ = 0, width_ = 0;
  std::filesystem::path partial_;  // only if the file system does not support unnamed files
  std::unique_ptr<MappedFile> writing_;
};

}  // namespace minception
