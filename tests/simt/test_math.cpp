/// Functions and types of device code that the host compiler does not provide.

#include "tests/simt/emulation.h"

#include "tests/catch.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

namespace minception::cuda {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

template <class A, class B>
concept has_min_and_max = requires(A a, B b) {
  min(a, b);
  max(a, b);
};

/// Whether min and max of A and B have the type Result, in either order of the arguments.
template <class A, class B, class Result>
constexpr bool gives() {
  if constexpr (has_min_and_max<A, B> && has_min_and_max<B, A>) {
    return std::is_same_v<decltype(min(A{}, B{})), Result> && std::is_same_v<decltype(max(A{}, B{})), Result> &&
           std::is_same_v<decltype(min(B{}, A{})), Result> && std::is_same_v<decltype(max(B{}, A{})), Result>;
  } else {
    return false;
  }
}
/// Whether min and max of A and each B are ambiguous, as in nvcc.
template <class A, class... B>
constexpr bool refused() {
  return ((!has_min_and_max<A, B> && !has_min_and_max<B, A>)&&...);
}

using u32 = unsigned;
using i64 = long long;
using u64 = unsigned long long;

}  // namespace

// The expected results are those of nvcc 13.0 for the same calls.
TEST_CASE("min and max have the overloads and result types of CUDA") {
  STATIC_REQUIRE(gives<int, int, int>());
  STATIC_REQUIRE(gives<u32, u32, u32>());
  STATIC_REQUIRE(gives<int, u32, u32>());
  STATIC_REQUIRE(gives<long, long, long>());
  STATIC_REQUIRE(gives<unsigned long, unsigned long, unsigned long>());
  STATIC_REQUIRE(gives<long, unsigned long, unsigned long>());
  STATIC_REQUIRE(gives<i64, i64, i64>());
  STATIC_REQUIRE(gives<u64, u64, u64>());
  STATIC_REQUIRE(gives<i64, u64, u64>());
  STATIC_REQUIRE(gives<float, float, float>());
  STATIC_REQUIRE(gives<double, double, double>());
  STATIC_REQUIRE(gives<float, double, double>());

  // Small integers are promoted to int.
  STATIC_REQUIRE(gives<short, short, int>());
  STATIC_REQUIRE(gives<unsigned char, unsigned char, int>());
  STATIC_REQUIRE(gives<bool, bool, int>());
  STATIC_REQUIRE(gives<short, int, int>());
  STATIC_REQUIRE(gives<unsigned char, u32, u32>());

  STATIC_REQUIRE(refused<int, long, unsigned long, i64, u64, float, double>());
  STATIC_REQUIRE(refused<u32, long, unsigned long, i64, u64, float, double>());
  STATIC_REQUIRE(refused<long, i64, u64, float, double, short>());
  STATIC_REQUIRE(refused<unsigned long, i64, u64, float, double, short>());
  STATIC_REQUIRE(refused<i64, float, double, short>());
  STATIC_REQUIRE(refused<u64, float, double, short>());
  STATIC_REQUIRE(refused<float, short, bool>());
  STATIC_REQUIRE(refused<double, short, bool>());
}

TEST_CASE("min and max of integers") {
  CHECK(min(-3, 2) == -3);
  CHECK(max(-3, 2) == 2);
  CHECK(min(3u, 2u) == 2u);
  // The signed argument is converted first.
  CHECK(min(-3, 2u) == 2u);
  CHECK(max(-3, 2u) == 4294967293u);
  CHECK(min(2u, -3) == 2u);
  CHECK(max(2u, -3) == 4294967293u);
  CHECK(min(i64{-1} << 40, i64{5}) == i64{-1} << 40);
  CHECK(max(i64{1} << 40, i64{5}) == i64{1} << 40);
  CHECK(min(i64{-1}, u64{5}) == 5u);
  CHECK(max(i64{-1}, u64{5}) == ~u64{0});
  CHECK(max(u64{5}, i64{-1}) == ~u64{0});
  CHECK(min(-1L, 5L) == -1L);
  CHECK(max(-1L, 5UL) == ~0UL);
}

TEST_CASE("min and max of floating-point numbers ignore one NaN") {
  CHECK(min(1.5f, 1.25f) == 1.25f);
  CHECK(max(1.5f, 1.25f) == 1.5f);
  CHECK(min(0.1f, 0.1) == 0.1);  // 0.1f is larger
  CHECK(max(0.1, 0.1f) == static_cast<double>(0.1f));
  CHECK(min(-kInfinity, 3.0f) == -kInfinity);
  CHECK(max(kInfinity, 3.0) == std::numeric_limits<double>::infinity());
  CHECK(min(kNan, 2.0f) == 2.0f);
  CHECK(min(2.0f, kNan) == 2.0f);
  CHECK(max(kNan, -2.0f) == -2.0f);
  CHECK(max(-2.0f, kNan) == -2.0f);
  CHECK(max(static_cast<double>(kNan), -2.0f) == -2.0);
  CHECK(min(kNan, -2.0) == -2.0);
  CHECK(std::isnan(min(kNan, kNan)));
  CHECK(std::isnan(max(kNan, kNan)));
}

TEST_CASE("conversions to int saturate and NaN becomes 0") {
  CHECK(__float2int_rd(2.75f) == 2);
  CHECK(__float2int_rd(-2.25f) == -3);
  CHECK(__float2int_rn(2.5f) == 2);
  CHECK(__float2int_rn(3.5f) == 4);
  CHECK(__float2int_rn(-2.5f) == -2);
  for (int (*convert)(float) : {&__float2int_rd, &__float2int_rn}) {
    CHECK(convert(kNan) == 0);
    CHECK(convert(kInfinity) == std::numeric_limits<int>::max());
    CHECK(convert(-kInfinity) == std::numeric_limits<int>::min());
    CHECK(convert(3e9f) == std::numeric_limits<int>::max());
    CHECK(convert(-3e9f) == std::numeric_limits<int>::min());
    CHECK(convert(-0x1p31f) == std::numeric_limits<int>::min());
    CHECK(convert(0x1.fffffep30f) == 2147483520);
  }
  CHECK(__int2float_rn(16777217) == 16777216.0f);
  CHECK(__int2float_rn(-16777219) == -16777220.0f);
  CHECK(__uint2float_rn(4294967295u) == 4294967296.0f);
}

TEST_CASE("bit casts and bit operations") {
  CHECK(__float_as_int(-0.0f) == std::numeric_limits<int>::min());
  CHECK(__float_as_uint(1.0f) == 0x3f800000u);
  CHECK(__int_as_float(0x40490fdb) == 3.14159274f);
  CHECK(__uint_as_float(0xc0000000u) == -2.0f);
  CHECK(__popc(0) == 0);
  CHECK(__popc(0xf00f0001u) == 9);
  CHECK(__popc(~0u) == 32);
  CHECK(__clz(0) == 32);
  CHECK(__clz(1) == 31);
  CHECK(__clz(-1) == 0);
  CHECK(__ffs(0) == 0);
  CHECK(__ffs(1) == 1);
  CHECK(__ffs(0x50) == 5);
  CHECK(__ffs(std::numeric_limits<int>::min()) == 32);
  CHECK(__umulhi(0xffffffffu, 0xffffffffu) == 0xfffffffeu);
  CHECK(__umulhi(0x10000u, 0x10000u) == 1u);
  CHECK(__umulhi(0xD2511F53u, 3u) == 2u);
}

TEST_CASE("arithmetic with explicit rounding and fast functions") {
  CHECK(__fadd_rn(1.0f, 0x1p-24f) == 1.0f);
  CHECK(__fadd_rn(1.0f, 0x1.8p-24f) == 1.0f + 0x1p-23f);
  CHECK(__fmul_rn(1.0f + 0x1p-23f, 1.0f + 0x1p-23f) == 1.0f + 0x1p-22f);
  CHECK(__fmaf_rn(1.0f + 0x1p-23f, 1.0f + 0x1p-23f, -1.0f - 0x1p-22f) == 0x1p-46f);  // rounded once
  CHECK(__frcp_rn(3.0f) == 1.0f / 3.0f);
  CHECK(__fsqrt_rn(2.0f) == 1.41421354f);
  CHECK(rsqrtf(4.0f) == 0.5f);
  CHECK(rsqrtf(0.0f) == kInfinity);
  CHECK(__fdividef(1.0f, 4.0f) == 0.25f);
  CHECK(__expf(1.0f) == Approx(2.71828182845904).epsilon(1e-6));
  CHECK(__expf(-kInfinity) == 0.0f);
  CHECK(__logf(10.0f) == Approx(2.30258509299404).epsilon(1e-6));
  CHECK(__powf(2.0f, 0.5f) == Approx(1.41421356237309).epsilon(1e-6));
  CHECK(isnan(kNan));
  CHECK(!isnan(kInfinity));
  CHECK(isinf(-kInfinity));
  CHECK(isfinite(std::numeric_limits<float>::max()));
  CHECK(!isfinite(kNan));
  const float value = 5.0f;
  CHECK(__ldg(&value) == 5.0f);
}

TEST_CASE("vector types have the layout and alignment of CUDA") {
  STATIC_REQUIRE((sizeof(float2) == 8 && alignof(float2) == 8));
  STATIC_REQUIRE((sizeof(float4) == 16 && alignof(float4) == 16));
  STATIC_REQUIRE((sizeof(int2) == 8 && alignof(int2) == 8));
  STATIC_REQUIRE((sizeof(int4) == 16 && alignof(int4) == 16));
  STATIC_REQUIRE((sizeof(uint2) == 8 && alignof(uint2) == 8));
  STATIC_REQUIRE((sizeof(uint4) == 16 && alignof(uint4) == 16));
  STATIC_REQUIRE((sizeof(uint3) == 12 && sizeof(dim3) == 12));
  const auto bits = std::bit_cast<uint4>(make_float4(1.0f, 2.0f, 3.0f, 4.0f));
  CHECK(bits.x == 0x3f800000u);
  CHECK(bits.y == 0x40000000u);
  CHECK(bits.z == 0x40400000u);
  CHECK(bits.w == 0x40800000u);
  CHECK(make_int2(-1, 7).y == 7);
  const dim3 line = 5;
  CHECK((line.x == 5 && line.y == 1 && line.z == 1));
  const dim3 plane(2, 3);
  CHECK((plane.x == 2 && plane.y == 3 && plane.z == 1));
}

}  // namespace minception::cuda
