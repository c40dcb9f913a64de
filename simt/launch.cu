#include "core/error.h"
#include "simt/kernel_names.h"
#include "simt/launch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

namespace minception::simt {

void check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears the error, so that the next call does not return it
  fail("CUDA: ", what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

std::string without_namespaces(std::string name) {
  for (const std::string_view scope :
       {"minception::", "cuda::", "simt::", "{anonymous}::", "(anonymous namespace)::", "<unnamed>::"}) {
    for (std::size_t at = 0; (at = name.find(scope, at)) != std::string::npos;) name.erase(at, scope.size());
  }
  return name;
}

/// Compilers write "... [with auto kernel = minception::cuda::relu_forward<float, 4>; ...]", some with "& " or "(&".
std::string short_kernel_name(std::string_view pretty_function) {
  std::string_view text = pretty_function;
  constexpr std::string_view kBegin = "kernel = ";
  text.remove_prefix(text.find(kBegin) + kBegin.size());
  text = text.substr(0, text.rfind(']'));
  text = text.substr(0, text.find("; "));
  if (text.starts_with("(")) text = text.substr(1, text.size() - 2);
  while (text.starts_with("&") || text.starts_with(" ")) text.remove_prefix(1);
  const std::string name = without_namespaces(std::string(text));
  return name.substr(0, name.find('('));
}

namespace {

/// First kernel of the list. Zero before any constructor runs.
constinit const detail::CompiledKernel* first_kernel = nullptr;

std::vector<std::string> kernel_names(bool only_launched) {
  std::vector<std::string> names;
  for (const detail::CompiledKernel* kernel = first_kernel; kernel != nullptr; kernel = kernel->next) {
    if (!only_launched || kernel->launched) names.push_back(short_kernel_name(kernel->pretty_function));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

/// Writes the file of MINCEPTION_LAUNCHES at exit.
struct LaunchesFile {
  ~LaunchesFile() {
    const char* const folder = std::getenv("MINCEPTION_LAUNCHES");
    if (folder == nullptr || *folder == '\0') return;
    std::error_code ignored;  // the file cannot be written then
    std::filesystem::create_directories(folder, ignored);
    std::random_device random;
    std::ofstream file(std::filesystem::path(folder) / concat(random(), "-", random(), ".txt"));
    for (const std::string& name : launched_kernels()) file << name << '\n';
    if (!file.flush()) std::fprintf(stderr, "MINCEPTION_LAUNCHES=%s: cannot write a file there\n", folder);
  }
};

}  // namespace

detail::CompiledKernel::CompiledKernel(const char* pretty_function_of_launch)
    : pretty_function(pretty_function_of_launch), next(first_kernel) {
  first_kernel = this;
  static const LaunchesFile file;
}

std::vector<std::string> compiled_kernels() { return kernel_names(false); }
std::vector<std::string> launched_kernels() { return kernel_names(true); }

}  // namespace minception::simt
