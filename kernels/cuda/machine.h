#pragma once
/// Whether a GPU, its driver and this build fit each other, and what to do where they do not.

#include <string>

namespace minception::cuda {

/// Versions as CUDA counts them: 1000 * major + 10 * minor.
struct Machine {
  std::string failure = {};  ///< CUDA's words where asking for devices failed
  int device = 0;            ///< the one asked for
  int devices = 0;           ///< how many there are
  int driver = 0;            ///< the latest CUDA that the driver knows; 0: there is no driver
  int runtime = 0;           ///< what this build was made with
  // Of the device:
  std::string gpu = {};
  int major = 0, minor = 0;    ///< compute capability
  bool has_kernels = true;     ///< this build holds code for it
  std::string built_for = {};  ///< compute capabilities
};

/// "13.0"
std::string version_text(int version);

/// Never fails: what cannot be asked for keeps its default.
Machine ask_machine(int device);

/// "" where kernels of this build run on it, else one line: what does not fit, and what helps.
std::string misfit(const Machine& machine);

}  // namespace minception::cuda
