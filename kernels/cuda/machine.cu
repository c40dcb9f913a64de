#include "core/error.h"
#include "kernels/cuda/machine.h"
#include "simt/cuda.h"

#include <sstream>

namespace minception::cuda {
namespace {

constexpr int kLeastMajor = 8;

#if defined(__CUDACC__)
__global__ void probe() {}

#define MINCEPTION_TEXT(...) #__VA_ARGS__
#define MINCEPTION_EXPANDED_TEXT(...) MINCEPTION_TEXT(__VA_ARGS__)
/// Compute capabilities of this build. nvcc lists them as 800,900.
std::string built_for() {
  std::string text, entry;
  std::istringstream list(MINCEPTION_EXPANDED_TEXT(__CUDA_ARCH_LIST__));
  while (std::getline(list, entry, ',')) {
    const int architecture = std::stoi(entry);
    text += concat(text.empty() ? "" : ", ", architecture / 100, ".", architecture / 10 % 10);
  }
  return text;
}
#endif

}  // namespace

std::string version_text(int version) { return concat(version / 1000, ".", version % 1000 / 10); }

Machine ask_machine(int device) {
  Machine machine{.device = device};
  const cudaError_t counted = cudaGetDeviceCount(&machine.devices);
  if (counted != cudaSuccess) {
    machine.failure = cudaGetErrorString(counted);
    machine.devices = 0;
    cudaGetLastError();
  }
#if defined(__CUDACC__)
  cudaDriverGetVersion(&machine.driver);
  cudaRuntimeGetVersion(&machine.runtime);
  machine.built_for = built_for();
#endif
  cudaDeviceProp properties;
  if (device >= machine.devices || cudaGetDeviceProperties(&properties, device) != cudaSuccess) return machine;
  machine.gpu = properties.name;
  machine.major = properties.major;
  machine.minor = properties.minor;
#if defined(__CUDACC__)
  int current = 0;
  cudaFuncAttributes attributes;
  if (cudaGetDevice(&current) == cudaSuccess && cudaSetDevice(device) == cudaSuccess) {
    machine.has_kernels = cudaFuncGetAttributes(&attributes, probe) == cudaSuccess;
    cudaSetDevice(current);
  }
  cudaGetLastError();
#endif
  return machine;
}

std::string misfit(const Machine& machine) {
  if (!machine.failure.empty()) {
    if (machine.driver == 0) return "no GPU is available: the NVIDIA driver is not loaded";
    const std::string driver = concat("the driver supports CUDA ", version_text(machine.driver));
    if (machine.driver < machine.runtime) {
      return concat("no GPU is available: ", machine.failure, " (", driver, ", and this build needs ",
                    version_text(machine.runtime), "); install a newer driver");
    }
    return concat("no GPU is available: ", machine.failure, " (", driver, ")");
  }
  if (machine.devices == 0) return "no GPU is available: none was found";
  if (machine.device >= machine.devices) {
    return concat("GPU ", machine.device, " does not exist: the last one is ", machine.devices - 1);
  }
  const std::string gpu = concat("the GPU ", machine.gpu, " (compute capability ", machine.major, ".", machine.minor,
                                 ", driver ", version_text(machine.driver), ")");
  if (machine.major < kLeastMajor) return concat(gpu, " is too old: the cuda backend needs compute capability 8.0");
  if (!machine.has_kernels) {
    return concat(gpu, " is not supported by this build, which was made for ", machine.built_for,
                  ": configure it with -DCMAKE_CUDA_ARCHITECTURES=", machine.major, machine.minor);
  }
  return "";
}

}  // namespace minception::cuda
