#include "simt/memory.h"
#include "core/error.h"
#include "core/host_memory.h"
#include "simt/observer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>

namespace minception::simt {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kGap = 256;  ///< after every allocation and before the first
/// Allocations of at least this size release their pages when freed.
constexpr std::size_t kLarge = 1 << 20;

/// First-fit allocator.
class Memory {
 public:
  Memory() {
    const std::size_t available = settings().device_memory > 0 ? settings().device_memory : available_host_memory();
    total_ = std::max<std::size_t>(available, std::size_t{64} << 20);
    reserved_ = 2 * total_;  // address space is free; gaps must not reduce the capacity
    void* mapping =
        mmap(nullptr, reserved_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(mapping != MAP_FAILED, "cannot reserve ", reserved_, " bytes of address space for the emulated device");
    begin_ = static_cast<char*>(mapping);
  }

  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes == 0 || bytes > total_ - used_) return nullptr;
    std::size_t place = kGap;
    for (const auto& [offset, size] : live_) {
      if (place + bytes + kGap <= offset) break;
      place = (offset + size + kGap + kAlignment - 1) / kAlignment * kAlignment;
    }
    if (place + bytes + kGap > reserved_) return nullptr;
    live_[place] = bytes;
    used_ += bytes;
    if (observer != nullptr) observer->allocated(begin_ + place, bytes);
    return begin_ + place;
  }

  bool free(void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(static_cast<std::size_t>(static_cast<char*>(data) - begin_));
    if (found == live_.end()) return false;
    const std::size_t bytes = found->second;
    used_ -= bytes;
    live_.erase(found);
    if (observer != nullptr) observer->freed(data, bytes);
    if (bytes >= kLarge) {
      const auto first = (reinterpret_cast<std::uintptr_t>(data) + 4095) / 4096 * 4096;
      const auto last = (reinterpret_cast<std::uintptr_t>(data) + bytes) / 4096 * 4096;
      if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
    }
    return true;
  }

  bool holds(const void* data, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (data < begin_ || data >= begin_ + reserved_) return false;
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(data) - begin_);
    auto next = live_.upper_bound(offset);
    if (next == live_.begin()) return false;
    const auto& [place, size] = *--next;
    return offset + bytes <= place + size;
  }

  std::vector<DeviceRange> allocations() {
    const std::lock_guard lock(mutex_);
    std::vector<DeviceRange> ranges;
    for (const auto& [offset, bytes] : live_) ranges.push_back({begin_ + offset, bytes});
    return ranges;
  }
  const char* begin() const { return begin_; }
  const char* end() const { return begin_ + reserved_; }
  std::size_t total() const { return total_; }
  std::size_t free_bytes() {
    const std::lock_guard lock(mutex_);
    return total_ - used_;
  }

 private:
  std::mutex mutex_;
  char* begin_ = nullptr;
  std::size_t reserved_ = 0;
  std::size_t total_ = 0;
  std::size_t used_ = 0;
  std::map<std::size_t, std::size_t> live_;  // offset -> bytes
};

Memory& memory() {
  static Memory the_memory;
  return the_memory;
}

}  // namespace

void* device_allocate(std::size_t bytes) { return memory().allocate(bytes); }
bool device_free(void* data) { return memory().free(data); }
std::vector<DeviceRange> device_allocations() { return memory().allocations(); }
std::size_t device_memory_total() { return memory().total(); }
std::size_t device_memory_free() { return memory().free_bytes(); }
const char* device_memory_begin() { return memory().begin(); }
const char* device_memory_end() { return memory().end(); }
bool device_memory_holds(const void* data, std::size_t bytes) { return memory().holds(data, bytes); }

}  // namespace minception::simt
