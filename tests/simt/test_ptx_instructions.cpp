/// Instructions of PTX with known answers, and divergence.

#include "tests/catch.h"

#include "tests/simt/ptx_program.h"

namespace minception::cuda {
namespace {

struct Answer {
  const char* instructions;
  std::uint32_t r1;
};

/// Every thread must leave `r1` in %r1.
void check(const Answer& answer) {
  INFO(answer.instructions);
  const auto out = run_ptx(ptx_module(std::string(answer.instructions) + "\nst.global.u32 [%o3], %r1;"));
  for (const std::uint64_t value : out) REQUIRE(value == answer.r1);
}

/// `body` runs in lockstep and lane by lane.
template <class F>
void in_both_modes(const std::string& body, unsigned threads, F&& expected, const std::string& head = "") {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings scope([&](simt::Settings& settings) { settings.order = order; });
    const auto out = run_ptx(ptx_module(body, head), threads);
    for (unsigned t = 0; t < threads; ++t) {
      INFO("thread " << t << ", order " << static_cast<int>(order));
      REQUIRE(out[t] == expected(t));
    }
  }
}

}  // namespace

TEST_CASE("ptx: integer arithmetic") {
  for (const Answer& answer : std::initializer_list<Answer>{
           {"add.s32 %r1, -5, 3;", 0xfffffffe},
           {"mul.lo.s32 %r1, 70000, 70000;", 0x24101100},
           {"mul.hi.u32 %r1, 0xffffffff, 0xffffffff;", 0xfffffffe},
           {"div.s32 %r1, -7, 2;", 0xfffffffd},
           {"rem.s32 %r1, -7, 2;", 0xffffffff},
           {"div.s32 %r1, 0x80000000, -1;", 0x80000000},
           {"mad.lo.s32 %r1, 3, 4, -5;", 7},
           {"min.s32 %r1, -1, 1;", 0xffffffff},
           {"min.u32 %r1, -1, 1;", 1},
           {"mul.wide.s32 %rd1, -2, 3; cvt.u32.u64 %r1, %rd1;", 0xfffffffa},
           {"mov.u64 %rd1, 0x8000000000000000; mul.hi.u64 %rd2, %rd1, 6; cvt.u32.u64 %r1, %rd2;", 3},
       }) {
    check(answer);
  }
}

TEST_CASE("ptx: shifts and bit fields") {
  for (const Answer& answer : std::initializer_list<Answer>{
           {"shl.b32 %r1, 1, 32;", 0},
           {"shr.s32 %r1, -8, 40;", 0xffffffff},
           {"shr.u32 %r1, 0x80000000, 33;", 0},
           {"prmt.b32 %r1, 0x33221100, 0x77665544, 0x1054;", 0x11005544},
           {"prmt.b32 %r1, 0x80000000, 0, 0xbbbb;", 0xffffffff},
           {"bfi.b32 %r1, 0x1f, 0x07ffffff, 27, 5;", 0xffffffff},
           {"bfi.b32 %r1, 0, 0xffffffff, 4, 8;", 0xfffff00f},
           {"bfe.u32 %r1, 0x12345678, 8, 12;", 0x456},
           {"shf.l.wrap.b32 %r1, 0x80000000, 1, 1;", 3},
           {"shf.r.wrap.b32 %r1, 0x10, 1, 4;", 0x10000001},
           {"popc.b32 %r1, 0xf0f0;", 8},
           {"clz.b32 %r1, 0x00010000;", 15},
           {"mov.b32 %r2, 0x12345678; mov.b32 {%h1, %h2}, %r2; mov.b32 %r1, {%h2, %h1};", 0x56781234},
       }) {
    check(answer);
  }
}

TEST_CASE("ptx: comparisons with NaN") {
  for (const Answer& answer : std::initializer_list<Answer>{
           {"mov.f32 %f1, 0f7FC00000; setp.lt.f32 %p1, %f1, 0f00000000; selp.u32 %r1, 1, 2, %p1;", 2},
           {"mov.f32 %f1, 0f7FC00000; setp.ltu.f32 %p1, %f1, 0f00000000; selp.u32 %r1, 1, 2, %p1;", 1},
           {"mov.f32 %f1, 0f7FC00000; setp.neu.f32 %p1, %f1, %f1; selp.u32 %r1, 1, 2, %p1;", 1},
           {"mov.f32 %f1, 0f7FC00000; setp.ne.f32 %p1, %f1, 0f00000000; selp.u32 %r1, 1, 2, %p1;", 2},
           {"mov.f32 %f1, 0f7FC00000; setp.num.f32 %p1, %f1, %f1; selp.u32 %r1, 1, 2, %p1;", 2},
           {"mov.f32 %f1, 0f7FC00000; min.f32 %f2, %f1, 0f3F800000; mov.b32 %r1, %f2;", 0x3f800000},
           {"max.f32 %f2, 0f80000000, 0f00000000; mov.b32 %r1, %f2;", 0},
           {"setp.gt.u32 %p2, 1, 0; setp.lt.and.s32 %p1, -1, 0, %p2; selp.u32 %r1, 1, 2, %p1;", 1},
       }) {
    check(answer);
  }
}

TEST_CASE("ptx: conversions and rounding") {
  for (const Answer& answer : std::initializer_list<Answer>{
           {"mov.f32 %f1, 0f40200000; cvt.rni.f32.f32 %f2, %f1; mov.b32 %r1, %f2;", 0x40000000},  // 2.5 -> 2
           {"mov.f32 %f1, 0fC0200000; cvt.rmi.f32.f32 %f2, %f1; mov.b32 %r1, %f2;", 0xc0400000},  // -2.5 -> -3
           {"mov.f32 %f1, 0f7F000000; cvt.rzi.s32.f32 %r1, %f1;", 0x7fffffff},
           {"mov.f32 %f1, 0f7FC00000; cvt.rzi.s32.f32 %r1, %f1;", 0},
           {"mov.f64 %fd1, 0d7FF8000000000000; cvt.rzi.s32.f64 %r1, %fd1;", 0x80000000},
           {"mov.f32 %f1, 0fC0200000; cvt.rzi.s32.f32 %r1, %f1;", 0xfffffffe},
           {"mov.f32 %f1, 0f7FC00000; cvt.sat.f32.f32 %f2, %f1; mov.b32 %r1, %f2;", 0},
           {"mov.f32 %f1, 0f3F801000; cvt.rna.tf32.f32 %r1, %f1;", 0x3f802000},  // a tie: away from zero
           {"mov.f32 %f1, 0f3F801000; cvt.rz.tf32.f32 %r1, %f1;", 0x3f800000},
           {"mov.f32 %f1, 0f3F801000; cvt.rn.tf32.f32 %r1, %f1;", 0x3f800000},
           {"mov.f32 %f1, 0f7F800001; cvt.rna.tf32.f32 %r1, %f1;", 0x7f800000},  // NaN becomes infinity
           {"mov.f32 %f1, 0f3F808000; mov.f32 %f2, 0f3F818000; cvt.rn.bf16x2.f32 %r1, %f1, %f2;", 0x3f803f82},
           {"mov.u64 %rd1, 0xfffffffe00000005; cvt.s64.s32 %rd2, %rd1; cvt.u32.u64 %r1, %rd2;", 5},
           {"mov.u16 %h1, 0xfffe; cvt.s32.s16 %r1, %h1;", 0xfffffffe},
           {"mov.f32 %f1, 0f3F800001; fma.rm.f32 %f2, %f1, %f1, 0f00000000; mov.b32 %r1, %f2;", 0x3f800002},
           {"mov.f32 %f1, 0fBF800001; mov.f32 %f2, 0f3F800001; fma.rm.f32 %f3, %f1, %f2, 0f00000000; mov.b32 %r1, %f3;",
            0xbf800003},
       }) {
    check(answer);
  }
}

TEST_CASE("ptx: conversions between registers that are wider than their types") {
  for (const Answer& answer : std::initializer_list<Answer>{
           {"mov.u32 %r2, 0x180; cvt.s32.s8 %r1, %r2;", 0xffffff80},
           {"mov.u32 %r2, 0x180; cvt.u32.u8 %r1, %r2;", 0x80},
           {"mov.u16 %h1, 0x1ff; cvt.u32.u8 %r1, %h1;", 0xff},
           {"mov.u16 %h1, 0x80; cvt.s16.s8 %h2, %h1; cvt.u32.u16 %r1, %h2;", 0xff80},
           {"mov.u32 %r2, 0x12345; cvt.u16.u32 %r1, %r2;", 0x2345},
           {"mov.u32 %r2, 0x18000; cvt.s16.u32 %r1, %r2;", 0xffff8000},
           {"mov.u64 %rd1, 0x1ffffffff; cvt.s8.s64 %r1, %rd1;", 0xffffffff},
           {"mov.u64 %rd1, 0x1ffffffff; cvt.u64.u32 %rd2, %rd1; shr.u64 %rd2, %rd2, 32; cvt.u32.u64 %r1, %rd2;", 0},
       }) {
    check(answer);
  }
}

TEST_CASE("ptx: half precision") {
  for (const Answer& answer : std::initializer_list<Answer>{
           {"mov.f32 %f1, 0f3F801000; cvt.rn.f16.f32 %h1, %f1; cvt.u32.u16 %r1, %h1;", 0x3c00},  // a tie: to even
           {"mov.f32 %f1, 0f3F803000; cvt.rn.f16.f32 %h1, %f1; cvt.u32.u16 %r1, %h1;", 0x3c02},
           {"mov.f32 %f1, 0f477FF000; cvt.rn.f16.f32 %h1, %f1; cvt.u32.u16 %r1, %h1;", 0x7c00},
           {"mov.f32 %f1, 0f387FFFFF; cvt.rn.f16.f32 %h1, %f1; cvt.u32.u16 %r1, %h1;", 0x0400},
           {"mov.f32 %f1, 0fB3800000; cvt.rn.f16.f32 %h1, %f1; cvt.u32.u16 %r1, %h1;", 0x8001},
           {"mov.f32 %f1, 0f7F800001; cvt.rn.f16.f32 %h1, %f1; cvt.u32.u16 %r1, %h1;", 0x7fff},
           {"mov.u16 %h1, 0x0001; cvt.f32.f16 %f1, %h1; mov.b32 %r1, %f1;", 0x33800000},
           {"mov.u16 %h1, 0xfbff; cvt.f32.f16 %f1, %h1; mov.b32 %r1, %f1;", 0xc77fe000},
           {"mov.u16 %h1, 0xbfc0; cvt.f32.bf16 %f1, %h1; mov.b32 %r1, %f1;", 0xbfc00000},
       }) {
    check(answer);
  }
}

TEST_CASE("ptx: numbers") {
  for (const Answer& answer : std::initializer_list<Answer>{{"mov.u32 %r1, 017;", 15},
                                                            {"mov.u32 %r1, 0b101;", 5},
                                                            {"mov.u32 %r1, 0x1FU;", 31},
                                                            {"mov.u32 %r1, 0;", 0}}) {
    check(answer);
  }
}

TEST_CASE("ptx: products are not contracted into fma") {
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: the last term survives only without rounding in between.
  check({"mov.f32 %f1, 0f3F800800; mul.f32 %f2, %f1, %f1; sub.f32 %f3, %f2, 0f3F801000; mov.b32 %r1, %f3;", 0});
  check({"mov.f32 %f1, 0f3F800800; fma.rn.f32 %f3, %f1, %f1, 0fBF801000; mov.b32 %r1, %f3;", 0x33800000});
}

TEST_CASE("ptx: approximations flush denormal numbers with .ftz") {
  check({"mov.f32 %f1, 0f00400000; rcp.approx.ftz.f32 %f2, %f1; mov.b32 %r1, %f2;", 0x7f800000});
  check({"mov.f32 %f1, 0f40000000; ex2.approx.f32 %f2, %f1; mov.b32 %r1, %f2;", 0x40800000});
}

TEST_CASE("ptx: functions of bits and approximations of nvcc's intrinsics") {
  for (const Answer& answer : std::initializer_list<Answer>{
           {"brev.b32 %r1, 0x1;", 0x80000000},
           {"bfind.u32 %r1, 0x100;", 8},
           {"bfind.u32 %r1, 0;", 0xffffffff},
           {"bfind.shiftamt.u32 %r1, 0x100;", 23},
           {"popc.b64 %r1, 0xf00000000f;", 8},
           {"clz.b64 %r1, 1;", 63},
           {"mul.hi.s16 %h1, 0x8000, 2; cvt.u32.u16 %r1, %h1;", 0xffff},
           {"rsqrt.approx.f32 %f1, 0f40800000; mov.b32 %r1, %f1;", 0x3f000000},
           {"div.approx.f32 %f1, 0f3F800000, 0f7F000000; mov.b32 %r1, %f1;", 0},  // a divisor of 2^127
           {"div.full.f32 %f1, 0f3F800000, 0f7F000000; mov.b32 %r1, %f1;", 0x00400000},
           {"max.f32 %f1, 0f7FC00000, 0fFFC00000; mov.b32 %r1, %f1;", 0x7fffffff},
       }) {
    check(answer);
  }
}

TEST_CASE("ptx: predicated instructions") {
  check({"setp.eq.u32 %p1, 0, 1; mov.u32 %r1, 7; @%p1 mov.u32 %r1, 8;", 7});
  check({"setp.eq.u32 %p1, 0, 1; mov.u32 %r1, 7; @!%p1 mov.u32 %r1, 8;", 8});
}

TEST_CASE("ptx: divergent lanes reconverge") {
  in_both_modes(R"(mov.u32 %r1, 0; mov.u32 %r2, 0;
LOOP: add.u32 %r1, %r1, %r2; add.u32 %r2, %r2, 1; setp.le.u32 %p1, %r2, %i1; @%p1 bra LOOP;
and.b32 %r3, %i1, 1; setp.eq.u32 %p2, %r3, 0; @%p2 bra EVEN; add.u32 %r1, %r1, 1000; bra.uni DONE;
EVEN: add.u32 %r1, %r1, 2000;
DONE: shfl.sync.bfly.b32 %r4|%p3, %r1, 1, 31, -1; st.global.u32 [%o3], %r4;)",
                64, [](unsigned t) {
                  const unsigned other = t ^ 1;
                  return other * (other + 1) / 2 + (other % 2 == 0 ? 2000 : 1000);
                });
}

TEST_CASE("ptx: shuffles and votes") {
  in_both_modes(
      "shfl.sync.down.b32 %r1|%p1, %i1, 3, 31, -1; selp.u32 %r2, 100, 0, %p1; add.u32 %r1, %r1, %r2; "
      "st.global.u32 [%o3], %r1;",
      32, [](unsigned t) { return t + 3 < 32 ? t + 103 : t; });
  in_both_modes("shfl.sync.up.b32 %r1, %i1, 2, 0, -1; st.global.u32 [%o3], %r1;", 32,
                [](unsigned t) { return t < 2 ? t : t - 2; });
  // Groups of 8: the segment mask is 24.
  in_both_modes("shfl.sync.idx.b32 %r1, %i1, 2, 6175, -1; st.global.u32 [%o3], %r1;", 32,
                [](unsigned t) { return t / 8 * 8 + 2; });
  in_both_modes("setp.lt.u32 %p1, %i1, 5; vote.sync.ballot.b32 %r1, %p1, -1; st.global.u32 [%o3], %r1;", 32,
                [](unsigned) { return 31u; });
  in_both_modes(
      "setp.lt.u32 %p1, %i1, 5; vote.sync.any.pred %p2, %p1, -1; selp.u32 %r1, 1, 2, %p2; st.global.u32 "
      "[%o3], %r1;",
      32, [](unsigned) { return 1u; });
  in_both_modes(
      "setp.lt.u32 %p1, %i1, 5; vote.sync.all.pred %p2, %p1, -1; selp.u32 %r1, 1, 2, %p2; st.global.u32 "
      "[%o3], %r1;",
      32, [](unsigned) { return 2u; });
}

TEST_CASE("ptx: a barrier orders shared memory") {
  in_both_modes(R"(mov.u32 %r1, s; shl.b32 %r2, %i1, 2; add.u32 %r3, %r1, %r2; st.shared.u32 [%r3], %i1; bar.sync 0;
sub.u32 %r4, 63, %i1; shl.b32 %r4, %r4, 2; add.u32 %r5, %r1, %r4; ld.shared.u32 %r6, [%r5]; st.global.u32 [%o3], %r6;)",
                64, [](unsigned t) { return 63 - t; }, ".shared .align 4 .b8 s[256];");
}

TEST_CASE("ptx: atomics") {
  // Old values are a permutation; their sum does not depend on the order.
  const auto out = run_ptx(ptx_module("atom.global.add.u32 %r1, [%o1], 2; st.global.u32 [%o3+4], %r1;"), 64);
  CHECK((out[0] & 0xffffffffu) == 128);
  std::uint64_t sum = 0;
  for (const std::uint64_t value : out) sum += value >> 32;
  CHECK(sum == 64 * 63);
  const auto ticket =
      run_ptx(ptx_module("membar.gl; atom.global.inc.u32 %r1, [%o1], 15; st.global.u32 [%o3+4], %r1;"), 64);
  CHECK((ticket[0] & 0xffffffffu) == 0);
  CHECK(run_ptx(ptx_module("red.global.max.u64 [%o1], 7;"))[0] == 7);
  const auto swapped =
      run_ptx(ptx_module("atom.global.cas.b32 %r1, [%o3], 0, 9; atom.relaxed.gpu.global.exch.b32 %r2, [%o3], 4; "
                         "st.global.u32 [%o3+4], %r2;"));
  CHECK(swapped[5] == (std::uint64_t{9} << 32 | 4));
}

TEST_CASE("ptx: asynchronous copies land at the wait") {
  // 16 bytes per thread: 8 from `out`, then zeros.
  const std::string head = ".shared .align 16 .b8 s[512];";
  for (const simt::CopyLanding landing : {simt::CopyLanding::lazy, simt::CopyLanding::eager}) {
    const WithSettings scope([&](simt::Settings& settings) { settings.copies = landing; });
    const auto out =
        run_ptx(ptx_module(R"(add.u32 %r2, %i1, 5; st.global.u32 [%o3], %r2; mov.u32 %r3, s; shl.b32 %r4, %i1, 3;
add.u32 %r5, %r3, %r4; cp.async.ca.shared.global [%r5], [%o3], 8, 4; cp.async.commit_group; cp.async.wait_group 0;
ld.shared.u64 %rd1, [%r5]; add.s64 %rd1, %rd1, 1; st.global.u64 [%o3], %rd1;)",
                           head));
    for (unsigned t = 0; t < 32; ++t) REQUIRE(out[t] == t + 6);
  }
}

TEST_CASE("ptx: generic addresses, local memory and constants") {
  const auto body = [](const std::string& text) { return text + " st.global.u32 [%o3], %r1;"; };
  in_both_modes(
      body("mov.u64 %rd2, s; cvta.shared.u64 %rd1, %rd2; st.u32 [%rd1], 77; ld.u32 %r1, [%rd1];"), 1,
      [](unsigned) { return 77u; }, ".shared .align 4 .b8 s[4];");
  in_both_modes(body(".local .align 4 .b8 l[8]; mov.u64 %rd2, l; cvta.local.u64 %rd1, %rd2; st.local.u32 [l+4], %i1; "
                     "ld.u32 %r1, [%rd1+4];"),
                40, [](unsigned t) { return t; });
  in_both_modes(
      body("ld.const.u32 %r2, [i]; ld.const.b32 %r3, [f]; ld.const.s16 %r4, [h+2]; add.u32 %r1, %r2, %r3; add.u32 %r1, "
           "%r1, %r4;"),
      1, [](unsigned) { return 0x3f800000u - 7 - 2; },
      ".const .align 4 .u32 i = -7; .const .f32 f = 0f3F800000; .const .b16 h[2] = {1, -2};");
  in_both_modes(
      body("ld.const.u32 %r1, [c+4];"), 1, [](unsigned) { return 11u; }, ".const .align 4 .u32 c[2] = {10, 11};");
}

}  // namespace minception::cuda
