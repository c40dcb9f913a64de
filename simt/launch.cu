#include "core/error.h"
#include "simt/launch.h"

namespace minception::simt {

void check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears the error, so that the next call does not return it
  fail("CUDA: ", what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
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
  std::string name(text);
  for (const std::string_view scope :
       {"minception::", "cuda::", "simt::", "{anonymous}::", "(anonymous namespace)::", "<unnamed>::"}) {
    for (std::size_t at = 0; (at = name.find(scope, at)) != std::string::npos;) name.erase(at, scope.size());
  }
  return name.substr(0, name.find('('));
}

}  // namespace minception::simt
