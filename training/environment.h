#pragma once
/// The machine that a training runs on: devices by name, processor and compiler.

#include "kernels/backend.h"

#include <memory>
#include <string>

namespace minception {

/// Processor and compiler, for instance "AMD EPYC 9654 96-Core Processor" and "GCC 12.2.0": results depend on them. The
/// processor is "unknown" where /proc/cpuinfo does not name it.
std::string processor_name();
std::string compiler_name();

/// Resolves the device "auto": cuda if a GPU is available, else cpu with the reason. Other names are returned unchanged.
struct DeviceChoice {
  std::string name;
  std::string why;  ///< reason why auto chose cpu, otherwise empty
};
DeviceChoice choose_device(const std::string& device);

/// Throws Error unless `kernels` is "ours", or "vendor" (cuDNN and cuBLAS) with `device` cuda and a build and machine
/// that support it.
void check_kernels(const std::string& kernels, const std::string& device);

/// Backend for a device. `threads` applies to cpu only; 0: all cores. `tf32`: see CudaOptions.
std::unique_ptr<Backend> make_device(const std::string& device, int threads, bool tf32 = false,
                                     const std::string& kernels = "ours");

}  // namespace minception
