#pragma once
/// Runs small PTX programs.

#include "simt/ptx/library.h"
#include "tests/simt/emulation.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace minception::cuda {

/// A module with the kernel `k(out)`. Before `body`, %i1 is the thread's number and %o3 the address of its 64 bits of
/// `out`. `head` has declarations outside the kernel.
inline std::string ptx_module(const std::string& body, const std::string& head = "") {
  return ".version 9.0\n.target sm_90\n.address_size 64\n" + head +
         "\n.visible .entry k(.param .u64 out)\n{\n"
         ".reg .b32 %r<9>;\n.reg .f32 %f<9>;\n.reg .b64 %rd<9>;\n.reg .f64 %fd<9>;\n.reg .b16 %h<9>;\n.reg .pred "
         "%p<9>;\n"
         ".reg .b64 %o<4>;\n.reg .b32 %i<4>;\nld.param.u64 %o1, [out];\nmov.u32 %i1, %tid.x;\n"
         "mul.wide.u32 %o2, %i1, 8;\nadd.s64 %o3, %o1, %o2;\n" +
         body + "\nret;\n}\n";
}

/// What the threads of one block leave in `out`, which begins with zeros.
inline std::vector<std::uint64_t> run_ptx(const std::string& text, unsigned threads = 32,
                                          std::size_t dynamic_shared = 0) {
  simt::ptx::Library library;
  library.add_text("test.ptx", text);
  const DeviceArray<std::uint64_t> out(threads);
  const auto* address = out.data();
  const std::array arguments{simt::KernelArgument{&address, sizeof(address), alignof(std::uint64_t)}};
  simt::ptx::launch(library.find("k"), 1, threads, dynamic_shared, arguments);
  return {out.begin(), out.end()};
}

}  // namespace minception::cuda
