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

constexpr std::size_t kMostStaticShared = 48 * 1024;

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

Launch make_launch(const Program& program, std::string_view kernel, Extent3 grid, Extent3 block,
                   std::size_t shared_bytes, std::span<const KernelArgument> arguments) {
  require(block.count() <= program.kernel.most_threads, "the kernel ", kernel, " is launched with blocks of ",
          block.count(), " threads; its __launch_bounds__ allow ", program.kernel.most_threads);
  require(program.static_shared <= kMostStaticShared && program.static_shared + shared_bytes <= kMostShared,
          "the kernel ", kernel, " needs ", program.static_shared, " bytes of static shared memory (at most ",
          kMostStaticShared, ") and ", program.static_shared + shared_bytes, " with the dynamic ones (at most ",
          kMostShared, ")");
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
  execute(make_launch(program, program.name, grid, block, shared_bytes, arguments), program.name, grid, block,
          shared_bytes);
}

}  // namespace minception::simt::ptx
