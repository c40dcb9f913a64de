#include "kernels/cuda/staging.h"

#include <cstring>

namespace minception::cuda {

StagingRing::StagingRing() {
  try {
    for (PinnedBuffer& buffer : buffers_) {
      check(cudaEventCreateWithFlags(&buffer.copied, cudaEventDisableTiming), "creating an event");
      make(buffer, kBytes);
    }
  } catch (...) {
    release();
    throw;
  }
}

StagingRing::~StagingRing() { release(); }

void StagingRing::make(PinnedBuffer& buffer, std::size_t bytes) {
  if (buffer.data != nullptr) check(cudaFreeHost(buffer.data), "freeing page-locked memory");
  buffer.data = nullptr;
  buffer.bytes = 0;
  check(cudaMallocHost(&buffer.data, bytes), "allocating page-locked memory");
  buffer.bytes = bytes;
}

void StagingRing::release() noexcept {
  for (const PinnedBuffer& buffer : buffers_) {
    if (buffer.copied != nullptr) cudaEventDestroy(buffer.copied);
    if (buffer.data != nullptr) cudaFreeHost(buffer.data);
  }
}

void StagingRing::copy(void* device, const void* host, std::size_t bytes, cudaStream_t stream) {
  PinnedBuffer& buffer = buffers_[next_];
  next_ = (next_ + 1) % kBuffers;
  check(cudaEventSynchronize(buffer.copied), "waiting for a copy to the GPU");  // unrecorded events are complete
  if (buffer.bytes < bytes) make(buffer, bytes);
  std::memcpy(buffer.data, host, bytes);
  check(cudaMemcpyAsync(device, buffer.data, bytes, cudaMemcpyHostToDevice, stream), "copying to the GPU");
  check(cudaEventRecord(buffer.copied, stream), "recording an event");
}

}  // namespace minception::cuda
