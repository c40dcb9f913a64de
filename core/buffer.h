#pragma once
/// Owned memory. A backend hands it out; the deleter knows how to give it back.

#include <minception/core/device.h>

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

/// Host memory, aligned to a cache line and zero-filled (so that its pages are really there). Throws Error with the
/// bytes needed when there is not enough.
Buffer allocate_host(std::size_t bytes);

/// Bytes that the machine could still hand out without swapping, or 0 where it does not say.
std::size_t available_host_memory();

}  // namespace minception
