#pragma once
/// Prints every instruction that one thread executes, with its source line and registers.

#include "simt/executor.h"
#include "simt/ptx/program.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace minception::simt::ptx {

struct Warp;

/// Block and thread to trace, as linear numbers.
struct TraceRequest {
  std::size_t block = 0;
  unsigned thread = 0;
};

/// Parses "KERNEL,BLOCK,THREAD", where KERNEL is part of a kernel's name, and BLOCK and THREAD are numbers or x.y.z.
/// Returns what to trace in a launch of `kernel`. Null if the text is empty or names another kernel. Throws Error if it
/// is malformed or the launch has no such block or thread.
std::unique_ptr<const TraceRequest> trace_request(std::string_view text, std::string_view kernel, const Extent3& grid,
                                                  const Extent3& block);

/// Executes `instruction` of a warp and prints a line to stderr: source position, PTX, and the registers of `lane`:
/// those read, before it, and those written, after it.
const Instruction* run_traced(Warp& warp, const Instruction* instruction, unsigned lane);

}  // namespace minception::simt::ptx
