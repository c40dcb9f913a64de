#pragma once
/// Host memory between two pages that must not be touched. An access beyond it ends the process at once, and the case that
/// was running is named.

#include <cstddef>
#include <string>

namespace minception {

/// Where the memory of a case lies.
enum class Placement {
  allocated,      ///< as the backend allocates it
  ends_at_page,   ///< its last byte is the last one before an untouchable page; host memory only
  begins_at_page  ///< its first byte is the first one after such a page; host memory only
};

class GuardedMemory {
 public:
  /// `name` for the report. The address is a multiple of `alignment`: where `bytes` is none, fewer than `alignment` bytes
  /// follow in front of the page.
  GuardedMemory(std::string name, std::size_t bytes, Placement placement, std::size_t alignment = 1);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  std::byte* data() const { return data_; }
  const std::string& name() const { return name_; }
  /// Bytes from the end of the memory to `address`, negative from its beginning; 0 where `address` is in none of its two
  /// pages.
  std::ptrdiff_t distance(const void* address) const;

 private:
  std::string name_;
  std::byte* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// As long as it lives, a stray access prints one line before the process dies of it: "<label>: 12 bytes past the end of
/// workspace". One at a time.
class StrayAccessReport {
 public:
  explicit StrayAccessReport(const std::string& label);
  ~StrayAccessReport();
  StrayAccessReport(const StrayAccessReport&) = delete;
  StrayAccessReport& operator=(const StrayAccessReport&) = delete;
};

}  // namespace minception
