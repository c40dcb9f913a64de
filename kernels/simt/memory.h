#pragma once
/// The memory of the emulated device: one reserved range of addresses, with a gap around every allocation.

#include <cstddef>

namespace minception::simt {

/// Aligned to 256 bytes; null when there is not enough left. The contents are undefined.
void* device_allocate(std::size_t bytes);
/// False if `data` was not allocated.
bool device_free(void* data);

std::size_t device_memory_total();
std::size_t device_memory_free();

/// The reserved range, and whether [data, data + bytes) lies in one live allocation.
const char* device_memory_begin();
const char* device_memory_end();
bool device_memory_holds(const void* data, std::size_t bytes);

}  // namespace minception::simt
