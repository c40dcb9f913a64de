#include "simt/ptx/library.h"
#include "core/error.h"
#include "simt/kernel_names.h"
#include "simt/ptx/names.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace minception::simt::ptx {

void Library::add_file(const std::string& path) {
  std::error_code error;
  require(!std::filesystem::is_directory(path, error), path, " is a folder, not a PTX file");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  require(in.good() && !in.bad(), "cannot read ", path);
  add_text(std::filesystem::path(path).filename().string(), text.str());
}

void Library::add_folder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) {
    if (entry.path().extension() == ".ptx") files.push_back(entry.path().string());
  }
  require(!error && !files.empty(), "no PTX files in ", path);
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) add_file(file);
}

void Library::add_text(std::string file, std::string text) {
  const std::lock_guard lock(mutex_);
  Module& module = modules_.emplace_back(std::move(file), std::move(text));
  parse_module(module);
  for (const Module::Entry& entry : module.entries) {
    const auto [found, is_new] = kernels_.try_emplace(kernel_of_entry(entry.name));
    if (!is_new) {
      fail(module.file, ':', entry.line, ": ", found->second.module->file,
           " has a kernel of the same name: ", found->first);
    }
    found->second = {&module, &entry, nullptr};
  }
}

const Program& Library::decoded(Kernel& kernel) {
  if (kernel.program == nullptr) kernel.program = decode(*kernel.module, *kernel.entry);
  return *kernel.program;
}

const Program& Library::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const std::string canonical = kernel_of_entry(name);
  if (const auto found = kernels_.find(canonical); found != kernels_.end()) return decoded(found->second);
  Kernel* match = nullptr;
  for (auto& [full_name, kernel] : kernels_) {
    if (without_namespaces(full_name) != name) continue;
    require(match == nullptr, "several kernels are named ", name);
    match = &kernel;
  }
  require(match != nullptr, "no PTX of the kernel ", name);
  return decoded(*match);
}

const Program* Library::find_tag(const char* kernel_tag) {
  const std::lock_guard lock(mutex_);
  const auto known = by_tag_.find(std::string_view(kernel_tag));
  if (known != by_tag_.end()) return known->second;
  const auto found = kernels_.find(kernel_of_tag(kernel_tag));
  const Program* program = found == kernels_.end() ? nullptr : &decoded(found->second);
  by_tag_.emplace(kernel_tag, program);
  return program;
}

std::vector<std::string> Library::kernels() const {
  std::vector<std::string> names;
  for (const auto& [name, kernel] : kernels_) names.push_back(name);
  return names;
}

std::vector<std::string> Library::never_launched() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, kernel] : kernels_) {
    const bool launched = std::any_of(by_tag_.begin(), by_tag_.end(), [&](const auto& entry) {
      return entry.second != nullptr && entry.second == kernel.program.get();
    });
    if (!launched) names.push_back(name);
  }
  return names;
}

std::vector<std::string> Library::unsupported() const {
  std::vector<std::string> lines;
  for (const auto& [name, kernel] : kernels_) {
    for (std::string& line : unsupported_instructions(*kernel.module, *kernel.entry)) lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::byte> parameter_bytes(const Program& program, std::span<const KernelArgument> arguments) {
  const std::vector<Variable>& parameters = program.kernel.parameters;
  require(arguments.size() == parameters.size(), "the kernel ", program.name, " has ", parameters.size(),
          " parameters, not ", arguments.size());
  std::vector<std::byte> bytes(program.kernel.parameter_bytes);
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    const KernelArgument& argument = arguments[k];
    const Variable& parameter = parameters[k];
    require(argument.bytes == parameter.bytes && argument.alignment == parameter.alignment, "the kernel ", program.name,
            ": parameter ", k, " has ", parameter.bytes, " bytes aligned to ", parameter.alignment,
            " in PTX, but the argument has ", argument.bytes, " aligned to ", argument.alignment);
    std::memcpy(bytes.data() + parameter.offset, argument.data, argument.bytes);
  }
  return bytes;
}

}  // namespace minception::simt::ptx
