/// Sums each block of an array in shared memory.
///
/// Try it: remove the __syncthreads() of the loop and run it again. The checker reports the race with both source lines.

#include "simt/launch.h"

#include <cstdio>
#include <exception>
#include <vector>

namespace {

constexpr int kThreads = 128;

/// sums[b] = values[b * kThreads] + ... + values[b * kThreads + kThreads - 1]
__global__ void block_sums(const float* values, float* sums) {
  SHARED(float, partial, [kThreads]);
  const unsigned thread = threadIdx.x;
  partial[thread] = values[blockIdx.x * kThreads + thread];
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (thread < half) partial[thread] += partial[thread + half];
    __syncthreads();
  }
  if (thread == 0) sums[blockIdx.x] = partial[0];
}

}  // namespace

int main() {
  using namespace minception::simt;
  try {
    constexpr int kBlocks = 4;
    std::vector<float> values(kBlocks * kThreads);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);

    float *device_values = nullptr, *device_sums = nullptr;
    check(cudaMalloc(&device_values, values.size() * sizeof(float)), "allocating");
    check(cudaMalloc(&device_sums, kBlocks * sizeof(float)), "allocating");
    check(cudaMemcpy(device_values, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice), "copying");

    launch_kernel<block_sums>(kBlocks, kThreads, 0, nullptr, device_values, device_sums);

    std::vector<float> sums(kBlocks);
    check(cudaMemcpy(sums.data(), device_sums, kBlocks * sizeof(float), cudaMemcpyDeviceToHost), "copying");
    for (int b = 0; b < kBlocks; ++b) std::printf("block %d: %.0f\n", b, static_cast<double>(sums[b]));
    cudaFree(device_values);
    cudaFree(device_sums);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hello_kernel: %s\n", error.what());
    return 1;
  }
}
