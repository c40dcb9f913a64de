#pragma once
/// Available memory of the host.

#include <cstddef>
#include <fstream>
#include <string>

namespace minception {

/// Bytes that can be allocated without swapping (MemAvailable in /proc/meminfo), or 0 if unknown.
inline std::size_t available_host_memory() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key;
  std::size_t kibibytes = 0;
  std::string unit;
  while (meminfo >> key >> kibibytes) {
    if (key == "MemAvailable:") return kibibytes * 1024;
    std::getline(meminfo, unit);
  }
  return 0;
}

}  // namespace minception
