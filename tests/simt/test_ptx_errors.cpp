/// Mistakes in PTX programs that must end the kernel with a message, and the library of kernels.

#include "tests/catch.h"

#include "tests/simt/ptx_program.h"

namespace minception::cuda {
namespace {

const std::string kShared = ".shared .align 16 .b8 s[256];\n.extern .shared .align 128 .b8 d[];";

std::string error_of_ptx(const std::string& body, unsigned threads = 32, std::size_t dynamic_shared = 0) {
  return error_of([&] { run_ptx(ptx_module(body, kShared), threads, dynamic_shared); });
}

using Catch::Contains;

}  // namespace

TEST_CASE("ptx: unsupported and malformed instructions are named with their line") {
  CHECK_THAT(error_of_ptx("frob.u32 %r1, 1;"), Contains("test.ptx:20: unsupported instruction: frob.u32 %r1, 1;"));
  CHECK_THAT(error_of_ptx("add.s32 %rd1, 1, 2;"), Contains("the register %rd1 has another width"));
  CHECK_THAT(error_of_ptx("add.s32 %r1, 1;"), Contains("expected 3 operands"));
  CHECK_THAT(error_of_ptx("add.s32 %r1, %r77, 2;"), Contains("unknown name '%r77'"));
  CHECK_THAT(error_of_ptx("bra NOWHERE;"), Contains("unknown label"));
  CHECK_THAT(error_of_ptx("ld.global.u32 %r1, [%o3;"), Contains("test.ptx:20: expected ']', not ';'"));
  CHECK_THAT(error_of_ptx("red.global.add.f32 [%o1], 0f3F800000;"), Contains("unsupported instruction"));
}

TEST_CASE("ptx: accesses outside of memory") {
  CHECK_THAT(error_of_ptx("ld.global.u32 %r1, [%o3+1024];"), Contains("the kernel k") &&
                                                                 Contains("out of bounds in device memory") &&
                                                                 Contains("byte 1024 of an allocation of 256"));
  CHECK_THAT(error_of_ptx("st.shared.u32 [s+256], %i1;"), Contains("out of bounds in shared memory"));
  CHECK_THAT(error_of_ptx("st.shared.u32 [d+64], %i1;", 32, 64), Contains("out of bounds in shared memory"));
  CHECK(error_of_ptx("st.shared.u32 [d+60], %i1;", 32, 64).empty());
  CHECK_THAT(error_of_ptx("st.u32 [0], %i1;"), Contains("out of bounds in device memory"));
}

TEST_CASE("ptx: misaligned accesses") {
  CHECK_THAT(error_of_ptx("ld.global.u32 %r1, [%o3+2];"), Contains("misaligned: 4 bytes"));
  CHECK_THAT(error_of_ptx("mov.u32 %r8, s; add.u32 %r8, %r8, 1; cp.async.ca.shared.global [%r8], [%o3], 4;"),
             Contains("misaligned: target of cp.async"));
}

TEST_CASE("ptx: shared memory that no thread has written") {
  CHECK_THAT(error_of_ptx("ld.shared.u32 %r2, [s+4];"),
             Contains("uninitialised shared memory") && Contains("byte 4 of s"));
}

TEST_CASE("ptx: asynchronous copies without a wait") {
  const std::string copy = "mov.u32 %r8, s; mad.lo.u32 %r1, %i1, 8, %r8; cp.async.ca.shared.global [%r1], [%o3], 8; ";
  CHECK_THAT(error_of_ptx(copy + "cp.async.commit_group; ld.shared.u32 %r2, [%r1];"), Contains("missing wait: reads"));
  CHECK_THAT(error_of_ptx(copy + "cp.async.commit_group;"), Contains("was never waited for"));
  CHECK_THAT(error_of_ptx(copy), Contains("was never committed"));
  CHECK(error_of_ptx(copy + "cp.async.commit_group; cp.async.wait_group 0;").empty());
}

TEST_CASE("ptx: threads that do not arrive") {
  CHECK_THAT(error_of_ptx("setp.lt.u32 %p1, %i1, 16; @%p1 bra L; bar.sync 0; L: st.global.u32 [%o3], %i1;"),
             Contains("early exit"));
  CHECK_THAT(error_of_ptx("setp.lt.u32 %p1, %i1, 16; @%p1 bra L; bar.sync 0; bra E; L: bar.sync 0; E: st.global.u32 "
                          "[%o3], %i1;"),
             Contains("divergent barriers"));
  CHECK_THAT(error_of_ptx("setp.lt.u32 %p1, %i1, 16; @%p1 bra L; shfl.sync.bfly.b32 %r1, %i1, 1, 31, -1; L: "
                          "st.global.u32 [%o3], %i1;"),
             Contains("divergent warp: lane 0 has left the kernel"));
  CHECK_THAT(error_of_ptx("shfl.sync.bfly.b32 %r1, %i1, 1, 31, 1;"), Contains("the mask leaves out the calling lane"));
}

TEST_CASE("ptx: the watchdog ends a loop") {
  const WithSettings scope([](simt::Settings& settings) { settings.watchdog_seconds = 0.3; });
  CHECK_THAT(error_of_ptx("L: bra L;"), Contains("made no progress for 0.3 s"));
}

TEST_CASE("ptx: integer division by zero") {
  CHECK_THAT(error_of_ptx("div.u32 %r1, 1, 0;"), Contains("integer division by zero") && Contains("test.ptx:20"));
}

TEST_CASE("ptx: the message has the source line of the instruction") {
  const std::string text = ptx_module(".loc 1 31 5\ndiv.u32 %r1, 1, 0;") + ".file 1 \"kernels/cuda/adam.cu\"\n";
  CHECK_THAT(error_of([&] { run_ptx(text); }), Contains("at kernels/cuda/adam.cu:31, test.ptx:20: div.u32"));
}

TEST_CASE("ptx: arguments must fit the parameters") {
  simt::ptx::Library library;
  library.add_text("test.ptx", ptx_module(""));
  const std::uint32_t narrow = 0;
  const std::array wrong{simt::KernelArgument{&narrow, sizeof(narrow), alignof(std::uint32_t)}};
  CHECK_THAT(error_of([&] { simt::ptx::launch(library.find("k"), 1, 32, 0, wrong); }),
             Contains("parameter 0 has 8 bytes aligned to 8 in PTX, but the argument has 4 aligned to 4"));
  CHECK_THAT(error_of([&] { simt::ptx::launch(library.find("k"), 1, 32, 0, {}); }),
             Contains("has 1 parameters, not 0"));
  CHECK_THAT(error_of([&] { library.find("other"); }), Contains("no PTX of the kernel other"));
  CHECK_THAT(error_of([&] { library.add_text("again.ptx", ptx_module("")); }),
             Contains("again.ptx:5: test.ptx has a kernel"));
}

TEST_CASE("ptx: limits of a launch") {
  CHECK_THAT(error_of_ptx("st.shared.u32 [d], %i1; st.shared.u32 [s], %i1;", 32, 99 * 1024),
             Contains("bytes of static shared memory"));
  simt::ptx::Library library;
  std::string text = ptx_module("");
  text.replace(text.find("\n{\n"), 3, "\n.maxntid 64, 1, 1\n{\n");
  library.add_text("test.ptx", text);
  const std::uint64_t address = 0;
  const std::array arguments{simt::KernelArgument{&address, 8, 8}};
  CHECK_THAT(error_of([&] { simt::ptx::launch(library.find("k"), 1, 96, 0, arguments); }),
             Contains("__launch_bounds__ allow 64"));
}

}  // namespace minception::cuda
