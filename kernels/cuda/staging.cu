#include "kernels/cuda/staging.h"

#include <cstring>

namespace minception::cuda {

Staging::Ring::Ring(std::size_t count, std::size_t bytes) : buffers_(count) {
  try {
    for (PinnedBuffer& buffer : buffers_) {
      check(cudaEventCreateWithFlags(&buffer.copied, cudaEventDisableTiming), "creating an event");
    }
    reserve(bytes);
  } catch (...) {
    release();
    throw;
  }
}

void Staging::Ring::release() noexcept {
  for (const PinnedBuffer& buffer : buffers_) {
    if (buffer.copied != nullptr) cudaEventDestroy(buffer.copied);
    if (buffer.data != nullptr) cudaFreeHost(buffer.data);
  }
}

void Staging::Ring::reserve(std::size_t bytes) {
  for (PinnedBuffer& buffer : buffers_) {
    if (buffer.bytes >= bytes) continue;
    check(cudaEventSynchronize(buffer.copied), "waiting for a copy to the GPU");  // unrecorded events are complete
    if (buffer.data != nullptr) check(cudaFreeHost(buffer.data), "freeing page-locked memory");
    buffer.data = nullptr;
    buffer.bytes = 0;
    check(cudaMallocHost(&buffer.data, bytes), "allocating page-locked memory");
    buffer.bytes = bytes;
  }
}

void Staging::Ring::copy(void* device, const void* host, std::size_t bytes, cudaStream_t stream) {
  const PinnedBuffer& buffer = buffers_[next_];
  next_ = (next_ + 1) % buffers_.size();
  check(cudaEventSynchronize(buffer.copied), "waiting for a copy to the GPU");
  std::memcpy(buffer.data, host, bytes);
  check(cudaMemcpyAsync(device, buffer.data, bytes, cudaMemcpyHostToDevice, stream), "copying to the GPU");
  check(cudaEventRecord(buffer.copied, stream), "recording an event");
}

void Staging::reserve(std::size_t bytes) {
  if (bytes > kSmallBytes) large_.reserve(bytes);
}

void Staging::copy(void* device, const void* host, std::size_t bytes, cudaStream_t stream) {
  reserve(bytes);
  (bytes <= kSmallBytes ? small_ : large_).copy(device, host, bytes, stream);
}

}  // namespace minception::cuda
