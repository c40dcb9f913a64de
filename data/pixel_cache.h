#pragma once
/// Pixels of image files in their loaded size, kept in a file that is mapped into memory: a training of many images or
/// large photos decodes them once, and does not hold them.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace minception {

/// A file mapped into memory: its pages are read when they are used, and dropped when memory is short.
class MappedFile {
 public:
  /// `file`: an open descriptor, which the mapping takes over.
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

/// The cached pixels for a key, (N, H, W, C), or nullptr where there are none of that many images.
struct CachedPixels {
  std::shared_ptr<const MappedFile> file;
  std::span<const std::uint8_t> pixels;
  std::int64_t channels = 0;
};

/// A file in a cache folder: "<hash of the key>.pixels". It appears as a whole or not at all, also where the process is
/// killed while it writes.
class PixelCache {
 public:
  /// `key`: everything that the pixels depend on. Makes the folder where needed. Throws Error if that fails.
  PixelCache(std::filesystem::path folder, const std::string& key);

  /// Pixels that an earlier process left, for `images` images of height x width, or none: no file, or one that does not fit.
  CachedPixels find(std::int64_t images, std::int64_t height, std::int64_t width) const;

  /// Memory for the RGB pixels, with its room on the disk reserved. Throws Error when the disk is full.
  std::span<std::uint8_t> reserve(std::int64_t images, std::int64_t height, std::int64_t width);
  /// Completes the file; of grey images one channel is kept. Throws Error if it cannot be written.
  void commit(bool grey);

 private:
  std::filesystem::path folder_, path_;
  std::uint64_t key_;
  std::int64_t images_ = 0, height_ = 0, width_ = 0;
  std::filesystem::path partial_;  // named, where the file system has no unnamed files
  std::unique_ptr<MappedFile> writing_;
};

}  // namespace minception
