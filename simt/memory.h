#pragma once
/// Memory of the emulated device: one reserved address range with a gap around every allocation.

#include <cstddef>
#include <vector>

namespace minception::simt {

/// Aligned to 256 bytes, contents undefined. Null if `bytes` is 0 or memory is short.
void* device_allocate(std::size_t bytes);
/// False if `data` is not a live allocation.
bool device_free(void* data);

struct DeviceRange {
  const char* begin = nullptr;
  std::size_t bytes = 0;
};
/// Live allocations in ascending order.
std::vector<DeviceRange> device_allocations();

std::size_t device_memory_total();
std::size_t device_memory_free();

/// Bounds of the reserved range, and whether [data, data + bytes) is inside one live allocation.
const char* device_memory_begin();
const char* device_memory_end();
bool device_memory_holds(const void* data, std::size_t bytes);

}  // namespace minception::simt
