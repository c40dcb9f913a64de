#pragma once

#include <string>

namespace minception::simt {

/// The name of a kernel without the namespaces of the framework, as in kernel_name<kernel>().
std::string without_namespaces(std::string name);

}  // namespace minception::simt
