#include "core/buffer.h"
#include "core/error.h"
#include "core/host_memory.h"

#include <cstdlib>
#include <cstring>

namespace minception {
namespace {
constexpr std::size_t kAlignment = 64;
}

Buffer allocate_host(std::size_t bytes) {
  if (bytes == 0) return {};
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  // Linux overcommits memory: aligned_alloc would succeed and the process could be killed later.
  const std::size_t available = available_host_memory();
  void* data =
      (available == 0 || rounded <= available) && rounded >= bytes ? std::aligned_alloc(kAlignment, rounded) : nullptr;
  require(data != nullptr, "out of memory: ", bytes, " bytes needed, ", available,
          " bytes free; use a smaller batch or image size");
  std::memset(data, 0, rounded);
  return Buffer(data, bytes, Device{}, [](void* memory) { std::free(memory); });
}

}  // namespace minception
