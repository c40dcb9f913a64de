#pragma once
/// Execution of kernel calls from PTX, for simt/executor.cpp.

#include "simt/executor.h"
#include "simt/ptx/engine.h"
#include "simt/ptx/library.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace minception::simt {

/// Runs the blocks of a launch on the OS threads of the executor.
void execute(const ptx::Launch& launch, std::string_view kernel, Extent3 grid, Extent3 block, DynamicShared shared);

namespace ptx {

/// Whether the build has PTX of its kernels (MINCEPTION_CUDA=PTX).
bool is_default();

/// The kernels of Settings::ptx_folder, which is read at the first call.
Library& library();

/// The program of a call. Throws Error if there is no PTX of the kernel.
const Program& find_program(const KernelCall& call);

/// Throws Error if the arguments or the extents do not fit the program.
Launch make_launch(const Program& program, std::string_view kernel, Extent3 grid, Extent3 block, DynamicShared shared,
                   std::span<const KernelArgument> arguments);

/// Runs `host`, then `ptx`, from the same device memory, and records the differences. The results of `ptx` remain.
void compare(std::string_view kernel, const std::function<void()>& host, const std::function<void()>& ptx);

/// A line per kernel with the differences so far, then the kernels that were never launched.
std::string comparison_table();

}  // namespace ptx
}  // namespace minception::simt
