#pragma once
/// Places of the variables of a kernel in shared and local memory.

#include "simt/ptx/program.h"

namespace minception::simt::ptx {

/// Sets Program::shared and Program::local: the static shared variables that the kernel names, with gaps around them,
/// then its dynamic shared memory.
void lay_out_memory(const Module& module, Program& program);

}  // namespace minception::simt::ptx
