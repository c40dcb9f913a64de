#include <minception/core/buffer.h>
#include <minception/core/error.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace minception {
namespace {
constexpr std::size_t kAlignment = 64;
}

Buffer allocate_host(std::size_t bytes) {
  if (bytes == 0) return {};
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  // The kernel overcommits: malloc would succeed and the process be killed later, in the middle of the work.
  const std::size_t available = available_host_memory();
  void* data =
      (available == 0 || rounded <= available) && rounded >= bytes ? std::aligned_alloc(kAlignment, rounded) : nullptr;
  require(data != nullptr, "out of memory: ", bytes, " bytes needed, ", available,
          " bytes free; use a smaller batch or image size");
  std::memset(data, 0, rounded);
  return Buffer(data, bytes, Device{}, [](void* memory) { std::free(memory); });
}

std::size_t available_host_memory() {
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
