#include "simt/ptx/execution.h"
#include "core/error.h"
#include "simt/worker.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#ifndef MINCEPTION_PTX_FOLDER
#define MINCEPTION_PTX_FOLDER ""
#endif

namespace minception::simt::ptx {
namespace {

constexpr std::string_view kBuildFolder = MINCEPTION_PTX_FOLDER;

/// Appends the comparison to the file of Settings::report.
void write_report() {
  std::ofstream out(settings().report, std::ios::app);
  out << "== " << program_invocation_short_name << '\n' << comparison_table();
  if (!out.flush()) std::fprintf(stderr, "cannot write %s\n", settings().report.c_str());
}

}  // namespace

bool is_default() { return !kBuildFolder.empty(); }

Library& library() {
  static Library& the_library = *[] {
    auto* result = new Library;  // never destroyed: kernels may run during exit
    const std::string folder = settings().ptx_folder.empty() ? std::string(kBuildFolder) : settings().ptx_folder;
    require(!folder.empty(),
            "this build has no PTX: configure it with -DMINCEPTION_CUDA=PTX, or name a folder with "
            "MINCEPTION_SIMT=run=ptx,ptx=FOLDER");
    result->add_folder(folder);
    if (!settings().report.empty()) std::atexit(&write_report);
    return result;
  }();
  return the_library;
}

const Program& find_program(const KernelCall& call) {
  const Program* program = library().find_tag(call.tag);
  require(program != nullptr, "no PTX of the kernel ", call.name,
          "; MINCEPTION_SIMT=run=host runs the host compiler's code");
  return *program;
}

Launch make_launch(const Program& program, std::string_view kernel, Extent3 grid, Extent3 block, DynamicShared shared,
                   std::span<const KernelArgument> arguments) {
  require(block.count() <= program.kernel.most_threads, "the kernel ", kernel, " is launched with blocks of ",
          block.count(), " threads; its __launch_bounds__ allow ", program.kernel.most_threads);
  const std::size_t all = program.static_shared + shared.bytes;
  require(program.static_shared <= kDefaultShared && all <= kMostShared, "the kernel ", kernel, " needs ",
          program.static_shared, " bytes of static shared memory (at most ", kDefaultShared, ") and ", all,
          " with the dynamic ones (at most ", kMostShared, ")");
  require(program.shared_bytes + shared.bytes <= kSharedMemory, "the shared memory of the kernel ", kernel,
          ", with gaps between its variables, has ", program.shared_bytes + shared.bytes, " bytes; the limit is ",
          kSharedMemory);
  require(shared.bytes <= shared.limit || all <= kDefaultShared, "the kernel ", kernel, " needs ", all,
          " bytes of shared memory; more than ", kDefaultShared, " need cudaFuncAttributeMaxDynamicSharedMemorySize");
  Launch launch;
  launch.program = &program;
  launch.parameters = parameter_bytes(program, arguments);
  launch.device_memory = device_allocations();
  launch.trace = trace_request(settings().trace, kernel, grid, block);
  return launch;
}

void launch(const Program& program, Extent3 grid, Extent3 block, std::size_t shared_bytes,
            std::span<const KernelArgument> arguments) {
  if (grid.count() == 0) return;
  const DynamicShared shared{shared_bytes, shared_bytes};
  execute(make_launch(program, program.name, grid, block, shared, arguments), program.name, grid, block, shared);
}

}  // namespace minception::simt::ptx
