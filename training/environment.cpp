#include "training/environment.h"
#include "core/error.h"

#include <fstream>

namespace minception {

std::string processor_name() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string compiler_name() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

DeviceChoice choose_device(const std::string& device) {
  if (device != "auto") return {device, ""};
  const std::string problem = why_no_cuda();
  if (problem.empty() && !cuda_is_emulated()) return {"cuda", ""};
  if (problem.empty()) return {"cpu", "this build runs CUDA kernels on the CPU, slowly"};
  return {"cpu", problem.substr(0, problem.find(": configure"))};
}

void check_kernels(const std::string& kernels, const std::string& device) {
  require(kernels == "ours" || kernels == "vendor", Setting{"kernels", kernels}, ": use ours or vendor");
  if (kernels == "ours") return;
  const std::string problem = why_no_vendor();
  require(problem.empty(), Setting{"kernels", "vendor"}, ": ", problem);
  require(device == "cuda", Setting{"kernels", "vendor"}, " needs ", Setting{"device", "cuda"});
}

std::unique_ptr<Backend> make_device(const std::string& device, int threads, bool tf32, const std::string& kernels) {
  check_kernels(kernels, device);
  require(threads >= 0, Setting{"threads", threads}, ": must be 0 or more");
  require(threads == 0 || device == "cpu", Field{"threads"}, " is for ", Setting{"device", "cpu"});
  if (device == "cpu") return make_cpu_backend(threads);
  if (kernels == "vendor") return make_vendor_backend({.tf32 = tf32});
  if (device == "cuda") return make_cuda_backend({.tf32 = tf32});
  return make_backend(device);
}

}  // namespace minception
