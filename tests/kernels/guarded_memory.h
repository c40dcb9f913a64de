#pragma once
/// Host memory between two inaccessible pages. A stray access ends the process at once and reports the running case.

#include <cstddef>
#include <string>

namespace minception {

/// Placement of the memory of a case.
enum class Placement {
  allocated,      ///< as the backend allocates it
  ends_at_page,   ///< its last byte is the last one before an inaccessible page; host memory only
  begins_at_page  ///< its first byte is the first one after such a page; host memory only
};

class GuardedMemory {
 public:
  /// `name` is for the report. The address is a multiple of `alignment`; if `bytes` is not, fewer than `alignment`
  /// bytes lie between the end and the page.
  GuardedMemory(std::string name, std::size_t bytes, Placement placement, std::size_t alignment = 1);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  std::byte* data() const { return data_; }
  const std::string& name() const { return name_; }
  /// Past the end: bytes from the end, plus 1. Before the beginning: bytes from the beginning, negative. 0 if `address`
  /// is inside the memory or outside of the mapping.
  std::ptrdiff_t distance(const void* address) const;

 private:
  std::string name_;
  std::byte* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// During its lifetime, a stray access prints one line before it ends the process: "<label>: stray access, 12 bytes
/// past the end of workspace". One object at a time.
class StrayAccessReport {
 public:
  explicit StrayAccessReport(const std::string& label);
  ~StrayAccessReport();
  StrayAccessReport(const StrayAccessReport&) = delete;
  StrayAccessReport& operator=(const StrayAccessReport&) = delete;
};

}  // namespace minception
