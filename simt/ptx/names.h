#pragma once
/// Names of kernels: nvcc's mangled names and the host compiler's, in one form.

#include <string>
#include <string_view>

namespace minception::simt::ptx {

/// The demangled name, or the name itself if it is not mangled.
std::string demangled(std::string_view name);

/// Canonical name of an entry of a PTX file: "minception::cuda::relu_forward<float, 4>".
std::string kernel_of_entry(std::string_view mangled);

/// Canonical name of a kernel from typeid(KernelTag<kernel>).name().
std::string kernel_of_tag(const char* type_name);

}  // namespace minception::simt::ptx
