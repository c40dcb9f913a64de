/// Prints "CAPABILITY REGISTERS SHARED THREADS BLOCKS" by NVIDIA's occupancy calculator (cuda_occupancy.h of the CUDA
/// toolkit, host code), to compare with benchmarks/kernel_report.py.
///
///   occupancy [CAPABILITY WARPS SHARED_KIB SHARED_BLOCK_KIB]...

#include <climits>
#include <cstring>

#include <cuda_occupancy.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

int main(int argc, char** argv) {
  for (int i = 1; i + 3 < argc; i += 4) {
    cudaOccDeviceProp properties;
    properties.computeMajor = std::atoi(argv[i]);
    properties.computeMinor = std::atoi(std::strchr(argv[i], '.') + 1);
    properties.maxThreadsPerBlock = 1024;
    properties.maxThreadsPerMultiprocessor = 32 * std::atoi(argv[i + 1]);
    properties.regsPerBlock = properties.regsPerMultiprocessor = 65536;
    properties.warpSize = 32;
    properties.sharedMemPerBlock = 48 * 1024;
    properties.sharedMemPerMultiprocessor = 1024 * std::size_t(std::atoi(argv[i + 2]));
    properties.sharedMemPerBlockOptin = 1024 * std::size_t(std::atoi(argv[i + 3]));
    properties.reservedSharedMemPerBlock = 1024;
    properties.numSms = 100;
    for (const int registers : {16, 24, 33, 40, 48, 56, 64, 65, 80, 96, 104, 128, 151, 168, 174, 200, 255}) {
      for (const int shared :
           {0, 1, 1024, 8191, 16384, 32329, 32563, 33109, 33792, 49152, 50000, 65536, 99328, 101376, 166912}) {
        for (const int threads : {32, 64, 96, 128, 160, 256, 384, 512, 768, 1024}) {
          cudaOccFuncAttributes attributes;
          attributes.maxThreadsPerBlock = 1024;
          attributes.numRegs = registers;
          attributes.maxDynamicSharedSizeBytes = properties.sharedMemPerBlockOptin;
          attributes.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
          const cudaOccDeviceState state;
          cudaOccResult result;
          const cudaOccError status = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &properties, &attributes, &state,
                                                                              threads, std::size_t(shared));
          if (status != CUDA_OCC_SUCCESS) continue;
          std::printf("%s %d %d %d %d\n", argv[i], registers, shared, threads, result.activeBlocksPerMultiprocessor);
        }
      }
    }
  }
}
