#pragma once
/// Asynchronous small copies to the device, for inputs that change from step to step.

#include "kernels/cuda/launch.h"

#include <array>
#include <cstddef>

namespace minception::cuda {

/// A ring of page-locked buffers. Copies from pageable memory block the host; copies from these buffers are queued on
/// the stream. A buffer is overwritten only after its last copy is done.
class StagingRing {
 public:
  /// Allocates all buffers, large enough for the indices of a batch, so that training steps do not allocate.
  StagingRing();
  StagingRing(const StagingRing&) = delete;
  StagingRing& operator=(const StagingRing&) = delete;
  ~StagingRing();

  void copy(void* device, const void* host, std::size_t bytes, cudaStream_t stream);

 private:
  /// Enough for the copies of several steps, as the host may run ahead of the device.
  static constexpr std::size_t kBuffers = 16;
  /// Initial size of a buffer; a larger copy grows it.
  static constexpr std::size_t kBytes = 16 << 10;

  struct PinnedBuffer {
    void* data = nullptr;
    std::size_t bytes = 0;
    cudaEvent_t copied = nullptr;
  };
  void make(PinnedBuffer& buffer, std::size_t bytes);
  void release() noexcept;

  std::array<PinnedBuffer, kBuffers> buffers_;
  std::size_t next_ = 0;
};

}  // namespace minception::cuda
