/// Names of kernels, traces, and both executions of a launch compared.

#include "simt/kernel_names.h"
#include "simt/ptx/execution.h"
#include "simt/ptx/names.h"
#include "tests/catch.h"

#include "tests/simt/ptx_program.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace minception::cuda {

template <class T, int N, bool B>
__global__ void scale_by(T* data, T factor) {
  data[threadIdx.x] *= factor;
}
__global__ void plain_scale(float* data, float factor) { data[threadIdx.x] *= factor; }
namespace {
__global__ void hidden_scale(float* data, float factor) { data[threadIdx.x] *= factor; }

using Catch::Contains;
using simt::KernelTag;

/// Output of f() on stderr.
template <class F>
std::string stderr_of(F&& f) {
  std::FILE* file = std::tmpfile();
  std::fflush(stderr);
  const int saved = dup(2);
  dup2(fileno(file), 2);
  f();
  std::fflush(stderr);
  dup2(saved, 2);
  close(saved);
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

std::string kernel(const std::string& name, const std::string& body) {
  return ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry " + name +
         "(.param .u64 data, .param .f32 factor)\n{\n.reg .f32 %f<3>;\n.reg .b64 %rd<4>;\n.reg .b32 %r<2>;\n" +
         "ld.param.u64 %rd1, [data];\nld.param.f32 %f1, [factor];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, 4;\n" +
         "add.s64 %rd3, %rd1, %rd2;\nld.global.f32 %f2, [%rd3];\n" + body + "\nst.global.f32 [%rd3], %f2;\nret;\n}\n";
}

}  // namespace

TEST_CASE("ptx: nvcc's names and the host compiler's name the same kernel") {
  using simt::ptx::kernel_of_entry;
  using simt::ptx::kernel_of_tag;
  CHECK(kernel_of_tag(typeid(KernelTag<scale_by<float, 4, true>>).name()) ==
        kernel_of_entry("_ZN10minception4cuda8scale_byIfLi4ELb1EEEvPT_S2_"));
  CHECK(kernel_of_tag(typeid(KernelTag<plain_scale>).name()) ==
        kernel_of_entry("_ZN10minception4cuda11plain_scaleEPff"));
  CHECK(kernel_of_tag(typeid(KernelTag<hidden_scale>).name()) ==
        kernel_of_entry("_ZN10minception4cuda49_GLOBAL__N__7655e6ca_20_test_ptx_library_cpp_main12hidden_scaleEPff"));
  CHECK(simt::without_namespaces("minception::cuda::(anonymous namespace)::hidden_scale") == "hidden_scale");
}

TEST_CASE("ptx: a trace prints the instructions of one thread with its registers") {
  simt::ptx::Library library;
  library.add_text("trace.ptx", ptx_module("setp.lt.u32 %p1, %i1, 3;   // a comment\n@%p1 add.s32 %r1, %i1, 40;\n"
                                           "st.global.u32 [%o3], %i1;"));
  const DeviceArray<std::uint64_t> out(64);
  const auto* address = out.data();
  const std::array arguments{simt::KernelArgument{&address, 8, 8}};
  const auto trace_of = [&](const char* request) {
    const WithSettings scope([&](simt::Settings& settings) { settings.trace = request; });
    return stderr_of([&] { simt::ptx::launch(library.find("k"), 2, 32, 0, arguments); });
  };
  const std::string taken = trace_of("k,1,2");
  CHECK_THAT(taken, Contains("mov.u32 %i1, %tid.x;") && Contains("%i1=2 (0x2)\n"));
  CHECK_THAT(taken, Contains("setp.lt.u32 %p1, %i1, 3; ") && Contains("%p1=true <- %i1=2 (0x2)\n"));
  CHECK_THAT(taken, Contains("%r1=42 (0x2a) <- %i1=2 (0x2), %p1=true\n"));
  CHECK_THAT(trace_of("k,0,7"), Contains("@%p1 add.s32 %r1, %i1, 40;") && Contains("skipped <- "));
  CHECK(trace_of("other,0,0").empty());
  CHECK_THAT(error_of([&] { trace_of("k,2,0"); }),
             Contains("BLOCK must be a number or x.y.z inside 2 x 1 x 1, not '2'"));
  CHECK_THAT(error_of([&] { trace_of("k"); }), Contains("must be KERNEL,BLOCK,THREAD"));
}

TEST_CASE("ptx: the comparison of both executions finds what differs") {
  char folder[] = "/tmp/ptx-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = folder;
  std::ofstream(path + "/same.ptx") << kernel("_ZN10minception4cuda11plain_scaleEPff", "mul.f32 %f2, %f2, %f1;");
  std::ofstream(path + "/other.ptx") << kernel("_ZN10minception4cuda8scale_byIfLi4ELb1EEEvPT_S2_",
                                               "mul.f32 %f2, %f2, %f1;\nadd.f32 %f2, %f2, 0f3F800000;");
  const WithSettings scope([&](simt::Settings& settings) {
    settings.execution = simt::Execution::compare;
    settings.ptx_folder = path;
  });
  const DeviceArray<float> data(32, 3.0f);
  launch<plain_scale>(1, 32, 0, nullptr, data.data(), 2.0f);
  CHECK(data[7] == 6.0f);  // once, not by each execution
  std::string table = simt::ptx::comparison_table();
  CHECK_THAT(table, Contains("plain_scale") && Contains(" 1        0         32          0         0\n"));
  CHECK_THAT(table, Contains("never launched: minception::cuda::scale_by<float, 4, true>"));

  launch<scale_by<float, 4, true>>(1, 32, 0, nullptr, data.data(), 0.5f);
  CHECK(data[7] == 4.0f);  // the results of the PTX remain
  table = simt::ptx::comparison_table();
  CHECK_THAT(table, Contains("scale_by<float, 4, true>") && Contains(" 1        1         32         32      0.33\n"));
  CHECK_THAT(table, !Contains("never launched"));
  CHECK_THAT(error_of([&] { launch<hidden_scale>(1, 32, 0, nullptr, data.data(), 0.5f); }),
             Contains("no PTX of the kernel hidden_scale"));
  for (const char* name : {"/same.ptx", "/other.ptx", ""}) std::remove((path + name).c_str());
}

}  // namespace minception::cuda
