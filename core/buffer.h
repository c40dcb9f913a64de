#pragma once
/// Owned memory. Backends allocate it; the deleter frees it.

#include "core/device.h"

#include <cstddef>
#include <memory>

namespace minception {

class Buffer {
 public:
  using Deleter = void (*)(void*);

  Buffer() = default;
  Buffer(void* data, std::size_t bytes, Device device, Deleter deleter)
      : data_(data, deleter), bytes_(bytes), device_(device) {}

  void* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  std::unique_ptr<void, Deleter> data_{nullptr, +[](void*) {}};
  std::size_t bytes_ = 0;
  Device device_;
};

/// Host memory, aligned to 64 bytes and zero-filled, so that its pages are resident. Throws Error with the number of
/// bytes needed if memory is short.
Buffer allocate_host(std::size_t bytes);

}  // namespace minception
