#pragma once
/// Compatibility of a GPU, its driver and this build.

#include <string>

namespace minception::cuda {

/// Versions are in the encoding of CUDA: 1000 * major + 10 * minor.
struct Machine {
  std::string failure = {};  ///< CUDA's message if counting devices failed
  int device = 0;            ///< index of the device
  int devices = 0;           ///< number of devices
  int driver = 0;            ///< latest CUDA version of the driver; 0 without a driver
  int runtime = 0;           ///< CUDA version of this build
  // Properties of the device:
  std::string gpu = {};
  int major = 0, minor = 0;    ///< compute capability
  bool has_kernels = true;     ///< this build contains code for the device
  std::string built_for = {};  ///< compute capabilities of this build
};

/// The version as text, such as "13.0".
std::string version_text(int version);

/// Never fails: values that cannot be queried keep their defaults.
Machine ask_machine(int device);

/// "" if kernels of this build run on the machine, else one line with the problem and its remedy.
std::string misfit(const Machine& machine);

}  // namespace minception::cuda
