#pragma once
/// Kernels by name, from PTX files that nvcc wrote (nvcc -ptx). Modules are read at once, kernels decoded when needed.
///
///   ptx::Library library;
///   library.add_file("hello_kernel.ptx");
///   const ptx::Program& program = library.find("sum_blocks");
///   ptx::launch(program, grid, block, shared_bytes, parameters);

#include "simt/executor.h"
#include "simt/ptx/program.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt::ptx {

class Library {
 public:
  /// Throws Error if the file cannot be read or parsed, or defines a kernel that another file defines, too.
  void add_file(const std::string& path);
  /// Adds all files *.ptx of a folder and its subfolders.
  void add_folder(const std::string& path);
  void add_text(std::string file, std::string text);

  /// `name`: "relu_forward<float, 4>" with its namespaces, without, or mangled. Throws Error if there is none.
  const Program& find(std::string_view name);
  /// Null if there is none.
  const Program* find_tag(const char* kernel_tag);

  /// Canonical names of all kernels.
  std::vector<std::string> kernels() const;
  /// Kernels that find_tag has not found yet.
  std::vector<std::string> never_launched();
  /// All instructions that the engine does not support, as "adam.ptx:120: ...".
  std::vector<std::string> unsupported() const;

 private:
  struct Kernel {
    const Module* module;
    const Module::Entry* entry;
    std::unique_ptr<Program> program;
  };
  const Program& decoded(Kernel& kernel);

  std::mutex mutex_;
  std::deque<Module> modules_;
  std::map<std::string, Kernel, std::less<>> kernels_;
  std::map<std::string, const Program*, std::less<>> by_tag_;
};

/// The parameter space of a kernel with these arguments. Throws Error unless their number, sizes and alignments are
/// those that the PTX declares.
std::vector<std::byte> parameter_bytes(const Program& program, std::span<const KernelArgument> arguments);

/// Runs a kernel with the settings of the executor and waits for it. Throws Error.
void launch(const Program& program, Extent3 grid, Extent3 block, std::size_t shared_bytes,
            std::span<const KernelArgument> arguments);

}  // namespace minception::simt::ptx
