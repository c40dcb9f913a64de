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

TEST_CASE("ptx: addresses near 2^64 are outside of memory") {
  const std::string top = "mov.u64 %rd1, 0xfffffffffffffff8; ";
  CHECK_THAT(error_of_ptx(top + "ld.global.u64 %rd2, [%rd1];"), Contains("out of bounds in device memory"));
  CHECK_THAT(error_of_ptx(top + "ld.shared.u64 %rd2, [%rd1];"), Contains("out of bounds in shared memory"));
  CHECK_THAT(error_of_ptx(top + "cp.async.ca.shared.global [%rd1], [%o3], 8;"), Contains("target of cp.async"));
  CHECK_THAT(error_of_ptx(top + ".local .b8 l[8]; ld.local.u64 %rd2, [%rd1];"), Contains("out of bounds in local"));
  CHECK_THAT(error_of_ptx("ld.param.u64 %rd2, [out-8];"), Contains("out of bounds in the parameters, byte -8"));
}

TEST_CASE("ptx: the bytes that cp.async reads are inside of an allocation") {
  CHECK_THAT(error_of_ptx("mov.u32 %r8, s; cp.async.ca.shared.global [%r8], [%o1+248], 8, 8;", 1),
             Contains("out of bounds in device memory"));
  CHECK_THAT(error_of_ptx("mov.u32 %r8, s; add.s64 %rd1, %o1, 256; cp.async.ca.shared.global [%r8], [%rd1], 8, 4;"),
             Contains("out of bounds in device memory"));
  // 12 of 16 bytes, of an allocation of 8.
  CHECK_THAT(error_of_ptx("mov.u32 %r8, s; cp.async.ca.shared.global [%r8], [%o1], 16, 12;", 1),
             Contains("out of bounds in device memory"));
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

TEST_CASE("ptx: declarations beyond all limits") {
  const auto error_with = [](const std::string& head) { return error_of([&] { run_ptx(ptx_module("", head)); }); };
  CHECK_THAT(error_with(".shared .b8 x[1152921504606846976];"),
             Contains("test.ptx:4: 1152921504606846976 is too large"));
  CHECK_THAT(error_with(".global .b64 x[65536][65536];"), Contains("x has more than 268435456 bytes"));
  CHECK_THAT(error_with(".global .align 0 .b8 x[4];"), Contains("the alignment 0 is not a power of two"));
  CHECK_THAT(error_with(".global x;"), Contains("expected a type, not 'x'"));
  CHECK_THAT(error_with(".global .b8 x[2] = {1, 2, 3};"), Contains("too many initial values of x"));
  CHECK_THAT(error_with(".extern .global .b8 x[2];"), Contains("variables of other modules"));
  CHECK_THAT(error_with("/* no end"), Contains("test.ptx:4: the comment has no end"));
  CHECK_THAT(error_with(".file 1 \"no end"), Contains("test.ptx:4: the string has no end"));
  CHECK_THAT(error_of_ptx(".reg .b32 %q<999999999>;"), Contains("999999999 is too large"));
  CHECK_THAT(error_of_ptx(".reg .b32 %q<0>;"), Contains("expected at least one register"));
  CHECK_THAT(error_of_ptx(".reg .b64 %r<9>;"), Contains("the registers %r are declared twice"));
  CHECK_THAT(error_of_ptx("add.u32 %r1, %r99999999999, 1;"), Contains("unknown name '%r99999999999'"));
  CHECK_THAT(error_of_ptx(".local .b8 l[1048576];"), Contains("1048576 bytes of local memory per thread"));
  std::string many;
  for (int k = 0; k < 3000; ++k) many += ".shared .align 64 .b8 v" + std::to_string(k) + "[1];\n";
  CHECK_THAT(error_of_ptx(many), Contains("with gaps between its variables"));
}

TEST_CASE("ptx: forms that could be misread are errors") {
  CHECK_THAT(error_of_ptx("add.u32 %r1, %r2+4, 1;"), Contains("an offset of a register that is not an address"));
  CHECK_THAT(error_of_ptx("selp.u32 %r1, 1, 2, !%p1;"), Contains("negated operands are not supported"));
  CHECK_THAT(error_of_ptx("setp.lt.u32 %p1|%p2, %r1, 2;"), Contains("expected a register"));
  CHECK_THAT(error_of_ptx("add.u32 %r1, %r2 3;"), Contains("expected ';', not '3'"));
  CHECK_THAT(error_of_ptx("add.u32 %r1, %r2, 08;"), Contains("expected a number, not '08'"));
  CHECK_THAT(error_of_ptx("add.f32 %f1, %f2, 0f3F8;"), Contains("expected a number, not '0f3F8'"));
  CHECK_THAT(error_of_ptx("L: add.u32 %r1, %r2, 1; L: bra L;"), Contains("the label L is defined twice"));
  CHECK_THAT(error_of_ptx("cvt.u32.u32 %h1, %r1;"), Contains("the register %h1"));
  CHECK_THAT(error_of_ptx("{ .param .b32 p; }"), Contains("test.ptx:20: calls of functions are not supported"));
  CHECK_THAT(error_of_ptx("call.uni f;"), Contains("calls of functions are not supported"));
}

TEST_CASE("ptx: the watchdog ends a loop") {
  const WithSettings scope([](simt::Settings& settings) { settings.watchdog_seconds = 0.3; });
  // Lanes that diverge in every turn.
  CHECK_THAT(error_of_ptx("and.b32 %r1, %i1, 1; setp.eq.u32 %p1, %r1, 0; L: @%p1 bra M; mov.u32 %r2, 1; M: bra L;"),
             Contains("made no progress for 0.3 s"));
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
