#include "simt/ptx/names.h"

#include <cxxabi.h>

#include <cctype>
#include <cstdlib>
#include <memory>

namespace minception::simt::ptx {
namespace {

/// nvcc names anonymous namespaces after their file: _GLOBAL__N__2d1fa4cf_7_adam_cu_4843e76f.
std::string with_anonymous_namespaces(std::string name) {
  constexpr std::string_view kMark = "_GLOBAL__N__";
  for (std::size_t at = 0; (at = name.find(kMark, at)) != std::string::npos;) {
    std::size_t end = at;
    while (end < name.size() && (std::isalnum(static_cast<unsigned char>(name[end])) != 0 || name[end] == '_')) ++end;
    name.replace(at, end - at, "(anonymous namespace)");
  }
  return name;
}

/// "void f<float, 4>(int)" and "f(int)" become "f<float, 4>" and "f".
std::string without_signature(std::string name) {
  if (name.starts_with("void ")) name.erase(0, 5);
  if (!name.ends_with(')')) return name;
  int depth = 0;
  for (std::size_t at = name.size(); at-- > 0;) {
    depth += name[at] == ')' ? 1 : name[at] == '(' ? -1 : 0;
    if (depth == 0) return name.substr(0, at);
  }
  return name;
}

std::string demangled_symbol_or_type(std::string_view name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(std::string(name).c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : std::string(name);
}

}  // namespace

std::string demangled(std::string_view name) {
  // Others would be read as types: "f" is float.
  return name.starts_with("_Z") ? demangled_symbol_or_type(name) : std::string(name);
}

std::string kernel_of_entry(std::string_view mangled) {
  return without_signature(with_anonymous_namespaces(demangled(mangled)));
}

/// "minception::simt::KernelTag<&(void f<float, 4>(int))>", with variations in '&' and parentheses.
std::string kernel_of_tag(const char* type_name) {
  std::string name = demangled_symbol_or_type(type_name);
  const std::size_t open = name.find('<');
  if (open != std::string::npos && name.ends_with('>')) name = name.substr(open + 1, name.size() - open - 2);
  if (name.starts_with('&')) name.erase(0, 1);
  if (name.starts_with('(') && name.ends_with(')') && !name.starts_with("(anonymous namespace)")) {
    name = name.substr(1, name.size() - 2);
  }
  while (name.ends_with(' ')) name.pop_back();
  return without_signature(with_anonymous_namespaces(name));
}

}  // namespace minception::simt::ptx
