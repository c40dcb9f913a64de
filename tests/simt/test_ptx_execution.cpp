/// Control flow, groups of lanes, grids and OS threads of PTX programs.

#include "tests/catch.h"

#include "tests/simt/ptx_program.h"

#include <thread>

namespace minception::cuda {
namespace {

using Catch::Contains;

/// A kernel `name(out)`: %r1 block, %r2 blocks, %r9 thread; %rd1 is `out`, %rd3 the block's 4 bytes of it.
std::string grid_kernel(const std::string& name, const std::string& body) {
  return ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry " + name +
         "(.param .u64 out)\n{\n.reg .b32 %r<10>;\n.reg .b64 %rd<6>;\n.reg .pred %p<4>;\nld.param.u64 %rd1, [out];\n"
         "mov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %nctaid.x;\nmov.u32 %r9, %tid.x;\nmul.wide.u32 %rd2, %r1, 4;\n"
         "add.s64 %rd3, %rd1, %rd2;\n" +
         body + "\n}\n";
}

void launch_grid(simt::ptx::Library& library, const char* name, const DeviceArray<std::uint32_t>& out,
                 simt::Extent3 grid, simt::Extent3 block) {
  const auto* address = out.data();
  const std::array arguments{simt::KernelArgument{&address, sizeof(address), alignof(std::uint64_t)}};
  simt::ptx::launch(library.find(name), grid, block, 0, arguments);
}

template <class F>
void in_all_orders(const std::string& body, unsigned threads, F&& expected) {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings scope([&](simt::Settings& settings) { settings.order = order; });
    const auto out = run_ptx(ptx_module(body), threads);
    for (unsigned t = 0; t < threads; ++t) {
      INFO("thread " << t << ", order " << static_cast<int>(order));
      REQUIRE(out[t] == expected(t));
    }
  }
}

}  // namespace

TEST_CASE("ptx: the end of a kernel returns") {
  const auto text = [](const std::string& body) {
    std::string module = ptx_module(body);
    module.erase(module.find("\nret;\n}"), 5);
    return module;
  };
  for (const char* body : {"st.global.u32 [%o3], 7;", "st.global.u32 [%o3], 7; bra END; END:",
                           "st.global.u32 [%o3], 7; setp.lt.u32 %p1, %i1, 9; @%p1 bra END; END:",
                           "setp.lt.u32 %p1, %i1, 9; @%p1 st.global.u32 [%o3], 7; @!%p1 st.global.u32 [%o3], 7;",
                           "st.global.u32 [%o3], 7; setp.lt.u32 %p1, %i1, 9; @%p1 ret;"}) {
    INFO(body);
    for (const std::uint64_t value : run_ptx(text(body))) REQUIRE(value == 7);
  }
}

TEST_CASE("ptx: lanes of one instruction may have different masks") {
  // Halves of a warp with a mask each, then the even and odd lanes.
  in_all_orders(
      "and.b32 %r2, %i1, 16; mov.u32 %r3, 0xffff; shl.b32 %r3, %r3, %r2; "
      "shfl.sync.bfly.b32 %r1, %i1, 5, 31, %r3; bar.warp.sync %r3; and.b32 %r4, %i1, 1; mov.u32 %r5, "
      "0x55555555; shl.b32 %r5, %r5, %r4; setp.lt.u32 %p1, %i1, 9; vote.sync.ballot.b32 %r6, %p1, %r5; "
      "add.u32 %r1, %r1, %r6; st.global.u32 [%o3], %r1;",
      64, [](unsigned t) {
        const unsigned small = t < 32 ? 0x1ffu : 0u;
        return (t ^ 5) + (small & (t % 2 == 0 ? 0x55555555u : 0xaaaaaaaau));
      });
  CHECK_THAT(
      error_of([] {
        run_ptx(ptx_module("mov.u32 %r1, -1; setp.eq.u32 %p1, %i1, 3; @%p1 mov.u32 %r1, 15; bar.warp.sync %r1;"));
      }),
      Contains("divergent warp: lanes wait with different masks"));
}

TEST_CASE("ptx: lanes that return early leave the others to a shuffle with a smaller mask") {
  in_all_orders(R"(mov.u32 %r1, 0; mov.u32 %r2, 0;
OUTER: mov.u32 %r3, %r2;
INNER: mul.lo.u32 %r4, %r3, %i1; rem.u32 %r5, %r4, 7; setp.eq.u32 %p1, %r5, 3; @%p1 bra BROKEN;
add.u32 %r1, %r1, %r4; add.u32 %r3, %r3, 1; setp.lt.u32 %p2, %r3, 12; @%p2 bra INNER;
BROKEN: setp.gt.u32 %p3, %r1, 900; @%p3 bra DONE; add.u32 %r2, %r2, 1; setp.lt.u32 %p4, %r2, 6; @%p4 bra OUTER;
DONE: setp.gt.u32 %p5, %i1, 20; @%p5 ret;
shfl.sync.bfly.b32 %r6, %r1, 1, 31, 0xfffff; st.global.u32 [%o3], %r6;)",
                20, [](unsigned t) {
                  const unsigned lane = t ^ 1;
                  unsigned sum = 0;
                  for (unsigned j = 0; j < 6 && sum <= 900; ++j) {
                    for (unsigned k = j; k < 12 && k * lane % 7 != 3; ++k) sum += k * lane;
                  }
                  return sum;
                });
}

TEST_CASE("ptx: scopes may declare the same registers") {
  const std::string scope = "{ .reg .u32 x; add.u32 x, %r1, 3; mov.u32 %r1, x; }\n";
  in_all_orders("mov.u32 %r1, %i1;\n" + scope + scope + "st.global.u32 [%o3], %r1;", 32,
                [](unsigned t) { return t + 6; });
}

TEST_CASE("ptx: the last of many blocks on several OS threads sums what the others wrote") {
  const WithSettings scope([](simt::Settings& settings) { settings.os_threads = 4; });
  simt::ptx::Library library;
  library.add_text("grid.ptx", grid_kernel("total", R"(setp.ne.u32 %p1, %r9, 0; @%p1 bra END;
add.u32 %r3, %r1, 1; st.global.u32 [%rd3+8], %r3; membar.gl; sub.u32 %r4, %r2, 1;
atom.global.inc.u32 %r5, [%rd1], %r4; setp.ne.u32 %p2, %r5, %r4; @%p2 bra END; membar.gl;
mov.u32 %r6, 0; mov.u32 %r7, 0;
LOOP: mul.wide.u32 %rd4, %r7, 4; add.s64 %rd5, %rd1, %rd4; ld.volatile.global.u32 %r8, [%rd5+8];
add.u32 %r6, %r6, %r8; add.u32 %r7, %r7, 1; setp.lt.u32 %p3, %r7, %r2; @%p3 bra LOOP;
st.global.u32 [%rd1+4], %r6;
END:)"));
  for (int repeat = 0; repeat < 20; ++repeat) {
    const DeviceArray<std::uint32_t> out(202);
    launch_grid(library, "total", out, 200, 64);
    REQUIRE(out[0] == 0);
    REQUIRE(out[1] == 200 * 201 / 2);
  }
}

TEST_CASE("ptx: an error on any OS thread reaches the launch") {
  const WithSettings scope([](simt::Settings& settings) { settings.os_threads = 4; });
  simt::ptx::Library library;
  library.add_text("grid.ptx", grid_kernel("fails", "setp.eq.u32 %p1, %r1, 61; @%p1 div.u32 %r3, %r1, 0; ret;"));
  const DeviceArray<std::uint32_t> out(1);
  for (int repeat = 0; repeat < 20; ++repeat) {
    CHECK_THAT(error_of([&] { launch_grid(library, "fails", out, 64, 128); }),
               Contains("block (61,0,0), thread (0,0,0): integer division by zero"));
  }
}

TEST_CASE("ptx: two libraries launched from two host threads") {
  simt::ptx::Library libraries[2];
  for (unsigned k = 0; k < 2; ++k) {
    libraries[k].add_text("grid.ptx", grid_kernel("same", "st.global.u32 [%rd3], " + std::to_string(k + 1) + "; ret;"));
  }
  const auto run = [&](unsigned k, std::uint64_t& sum) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      const DeviceArray<std::uint32_t> out(16);
      launch_grid(libraries[k], "same", out, 16, 1);
      for (const std::uint32_t value : out) sum += value;
    }
  };
  std::uint64_t sums[2] = {};
  std::thread other([&] { run(1, sums[1]); });
  run(0, sums[0]);
  other.join();
  CHECK(sums[0] == 50 * 16);
  CHECK(sums[1] == 2 * 50 * 16);
}

TEST_CASE("ptx: extents in three dimensions and the largest block") {
  simt::ptx::Library library;
  library.add_text("grid.ptx", grid_kernel("shape", R"(mov.u32 %r3, %ctaid.y; mov.u32 %r4, %ctaid.z;
mad.lo.u32 %r5, %r4, 3, %r3; mad.lo.u32 %r5, %r5, %r2, %r1; mov.u32 %r6, %tid.y; mov.u32 %r7, %tid.z;
mov.u32 %r8, %ntid.y; mad.lo.u32 %r7, %r7, %r8, %r6;
mov.u32 %r8, %ntid.x; mad.lo.u32 %r7, %r7, %r8, %r9; mad.lo.u32 %r5, %r5, 1024, %r7;
mul.wide.u32 %rd4, %r5, 4; add.s64 %rd5, %rd1, %rd4; st.global.u32 [%rd5], %r5; ret;)"));
  const DeviceArray<std::uint32_t> out(2 * 3 * 2 * 1024);
  launch_grid(library, "shape", out, {2, 3, 2}, {16, 8, 8});
  for (std::uint32_t k = 0; k < out.size(); ++k) REQUIRE(out[k] == k);
  library.add_text("empty.ptx", ".version 9.0\n.visible .entry nothing()\n{\nret;\n}\n");
  CHECK(error_of([&] { simt::ptx::launch(library.find("nothing"), 3, 1024, 0, {}); }).empty());
}

}  // namespace minception::cuda
