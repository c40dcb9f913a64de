#pragma once
/// Small copies to the device that nobody waits for: what a step reads that changes from step to step.

#include <minception/kernels/cuda/launch.h>

#include <array>
#include <cstddef>

namespace minception::cuda {

/// A ring of page-locked buffers. Copies from other host memory make the runtime wait for the device; from these they
/// take their turn on the stream. A buffer is written again only when its last copy is done.
class StagingRing {
 public:
  /// Makes all buffers, large enough for the indices of a batch: the steps of a training allocate nothing.
  StagingRing();
  StagingRing(const StagingRing&) = delete;
  StagingRing& operator=(const StagingRing&) = delete;
  ~StagingRing();

  void copy(void* device, const void* host, std::size_t bytes, cudaStream_t stream);

 private:
  /// Enough for the copies of several steps: the host may be so far ahead of the device.
  static constexpr std::size_t kBuffers = 16;
  /// To begin with; a larger copy makes its buffer grow.
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
