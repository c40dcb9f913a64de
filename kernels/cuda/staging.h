#pragma once
/// Asynchronous copies to the device, for inputs that change from step to step.

#include "kernels/cuda/launch.h"

#include <cstddef>
#include <vector>

namespace minception::cuda {

/// Page-locked buffers. Copies from pageable memory block the host; copies from these buffers are queued on the stream.
/// A buffer is overwritten only after its last copy is done.
class Staging {
 public:
  /// Allocates the small buffers, large enough for control values and the indices of a batch.
  Staging() : small_(kSmall, kSmallBytes), large_(kLarge, 0) {}

  void copy(void* device, const void* host, std::size_t bytes, cudaStream_t stream);
  /// Allocates the large buffers for copies of up to `bytes`. A larger copy allocates when it is made.
  void reserve(std::size_t bytes);

 private:
  /// Enough for the small copies of several steps, as the host may run ahead of the device.
  static constexpr std::size_t kSmall = 16, kSmallBytes = 16 << 10;
  /// A streamed batch is copied to one buffer while the previous one is transferred.
  static constexpr std::size_t kLarge = 2;

  struct PinnedBuffer {
    void* data = nullptr;
    std::size_t bytes = 0;
    cudaEvent_t copied = nullptr;
  };

  /// Buffers of equal size, used in turn.
  class Ring {
   public:
    Ring(std::size_t count, std::size_t bytes);
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() { release(); }

    void reserve(std::size_t bytes);
    void copy(void* device, const void* host, std::size_t bytes, cudaStream_t stream);

   private:
    void release() noexcept;

    std::vector<PinnedBuffer> buffers_;
    std::size_t next_ = 0;
  };

  Ring small_, large_;
};

}  // namespace minception::cuda
