/// The checker on PTX: races, bounds and counters.

#include "tests/catch.h"

#include "tests/simt/ptx_program.h"

namespace minception::cuda {
namespace {

const std::string kShared = ".shared .align 16 .b8 s[256];";
/// %r3 is the address of the thread's word, %r5 that of its neighbour's.
const std::string kAddresses =
    "mov.u32 %r1, s; shl.b32 %r2, %i1, 2; add.u32 %r3, %r1, %r2; xor.b32 %r4, %r2, 4; add.u32 %r5, %r1, %r4; ";

std::string error_of_ptx(const std::string& body, unsigned threads = 64) {
  return error_of([&] { run_ptx(ptx_module(body, kShared), threads); });
}

using Catch::Contains;

}  // namespace

TEST_CASE("ptx checker: a missing barrier is a race with both instructions") {
  const std::string with =
      kAddresses + "st.shared.u32 [%r3], %i1; bar.sync 0; ld.shared.u32 %r6, [%r5]; st.global.u32 [%o3], %r6;";
  CHECK(error_of_ptx(with).empty());
  std::string without = with;
  without.replace(without.find("bar.sync 0; "), 12, "\n");
  CHECK_THAT(error_of_ptx(without), Contains("race in shared memory variable s, byte 4") &&
                                        Contains("wrote at test.ptx:19") && Contains("reads at test.ptx:20") &&
                                        Contains("without a barrier"));
}

TEST_CASE("ptx checker: a warp barrier orders the lanes of a warp") {
  const std::string text =
      kAddresses + "st.shared.u32 [%r3], %i1; bar.warp.sync -1; ld.shared.u32 %r6, [%r5]; st.global.u32 [%o3], %r6;";
  CHECK(error_of_ptx(text).empty());
}

TEST_CASE("ptx checker: blocks race in device memory unless a ticket orders them") {
  simt::ptx::Library library;
  library.add_text("test.ptx", ptx_module("st.global.u32 [%o1], %i1;"));
  const DeviceArray<std::uint64_t> out(32);
  const auto* address = out.data();
  const std::array arguments{simt::KernelArgument{&address, 8, 8}};
  CHECK_THAT(error_of([&] { simt::ptx::launch(library.find("k"), 2, 1, 0, arguments); }),
             Contains("race in device memory") && Contains("blocks are not ordered"));
}

TEST_CASE("ptx checker: lanes of a warp in lockstep race in every order") {
  const std::string write = "st.shared.u32 [%r3], %i1;\n";
  const std::string read = "ld.shared.u32 %r6, [%r5];\n";
  const std::string first_write = "st.shared.u32 [%r3], 1; bar.sync 0;\n";
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings scope([&](simt::Settings& settings) { settings.order = order; });
    INFO("order " << static_cast<int>(order));
    CHECK_THAT(error_of_ptx(kAddresses + first_write + write + read, 32), Contains("race in shared memory variable s"));
    CHECK_THAT(error_of_ptx(kAddresses + first_write + read + write, 32), Contains("race in shared memory variable s"));
    CHECK_THAT(error_of_ptx("st.shared.u32 [s+8], %i1;", 32), Contains("race in shared memory variable s, byte 8"));
    CHECK_THAT(error_of_ptx("st.global.u32 [%o1+8], %i1;", 32), Contains("race in device memory"));
    // A shuffle does not order memory.
    CHECK_THAT(error_of_ptx(kAddresses + first_write + write + "shfl.sync.bfly.b32 %r7, %i1, 1, 31, -1; " + read, 32),
               Contains("race in shared memory variable s"));
    CHECK(error_of_ptx(kAddresses + first_write + "bar.sync 0;" + write + "bar.warp.sync -1;" + read, 32).empty());
  }
}

TEST_CASE("ptx checker: a ticket orders blocks only with a fence of the device") {
  const auto error_with = [](const std::string& fence) {
    simt::ptx::Library library;
    library.add_text("test.ptx",
                     ptx_module(concat("mov.u32 %r1, %ctaid.x; mul.wide.u32 %rd1, %r1, 4; add.s64 %rd2, %o1, %rd1; "
                                       "st.global.u32 [%rd2+8], 5; ",
                                       fence, " atom.global.inc.u32 %r2, [%o1], 1; ", fence,
                                       " setp.ne.u32 %p1, %r2, 1; @%p1 bra END; ld.global.u32 %r3, [%o1+8]; "
                                       "ld.global.u32 %r4, [%o1+12]; END:")));
    const DeviceArray<std::uint64_t> out(32);
    const auto* address = out.data();
    const std::array arguments{simt::KernelArgument{&address, 8, 8}};
    return error_of([&] { simt::ptx::launch(library.find("k"), 2, 1, 0, arguments); });
  };
  CHECK(error_with("membar.gl;").empty());
  CHECK(error_with("fence.acq_rel.gpu;").empty());
  CHECK_THAT(error_with("membar.cta;"), Contains("race in device memory"));
}

TEST_CASE("ptx checker: bounds, initialisation and pending copies") {
  CHECK_THAT(error_of_ptx("ld.global.u32 %r1, [%o3+1024];"), Contains("out of bounds in device memory"));
  CHECK_THAT(error_of_ptx("ld.shared.u32 %r1, [s+4];"), Contains("uninitialised shared memory variable s, byte 4"));
  CHECK_THAT(error_of_ptx("st.shared.u32 [s+256], %i1;"), Contains("out of bounds in shared memory"));
  CHECK_THAT(error_of_ptx("mov.u32 %r8, s; mad.lo.u32 %r1, %i1, 8, %r8; cp.async.ca.shared.global [%r1], [%o3], 8; "
                          "cp.async.commit_group; ld.shared.u32 %r2, [%r1];",
                          32),
             Contains("missing wait in shared memory variable s"));
}

TEST_CASE("ptx checker: requests, sectors and bank conflicts") {
  const auto counters_of = [](const std::string& body) {
    simt::reset_counters();
    run_ptx(ptx_module(body, ".shared .align 16 .b8 s[8192];"), 32);
    return simt::counters().at(0);
  };
  const auto plain = counters_of("ld.global.u64 %rd1, [%o3];");
  CHECK(plain.global_requests == 1);
  CHECK(plain.global_sectors == 8);
  CHECK(plain.global_read_bytes == 256);
  CHECK(plain.instructions > 32 * 5);
  const auto conflicts =
      counters_of("mov.u32 %r1, s; shl.b32 %r2, %i1, 7; add.u32 %r3, %r1, %r2; st.shared.u32 [%r3], %i1;");
  CHECK(conflicts.shared_requests == 1);
  CHECK(conflicts.shared_wavefronts == 32);
  CHECK(conflicts.shared_conflicts == 31);
}

}  // namespace minception::cuda
