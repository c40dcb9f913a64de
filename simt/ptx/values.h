#pragma once
/// Values of instructions as functions of one lane.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace minception::simt::ptx {

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;
using f32 = float;
using f64 = double;
using pred = u32;  // 0 or ~0

// ---- floating point -------------------------------------------------------------------------------------------------

/// NaN of instructions without a NaN that they pass on.
template <class T>
T canonical_nan() {
  if constexpr (sizeof(T) == 4) return std::bit_cast<T>(0x7fffffffu);
  return std::numeric_limits<T>::quiet_NaN();
}

/// min and max return the other operand if one is NaN, and -0 < +0.
template <class T>
T minimum(T a, T b) {
  if (a != a) return b != b ? canonical_nan<T>() : b;
  if (b != b) return a;
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return b < a ? b : a;
}
template <class T>
T maximum(T a, T b) {
  if (a != a) return b != b ? canonical_nan<T>() : b;
  if (b != b) return a;
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a < b ? b : a;
}

/// Clamps. NaN becomes 0, or the smallest value where source or destination has 64 bits (PTX ISA, cvt).
template <class To, class From>
To to_integer(From whole) {
  if (whole != whole) {
    const bool wide = sizeof(From) == 8 || sizeof(To) == 8;
    return wide ? static_cast<To>(std::make_unsigned_t<To>{1} << (8 * sizeof(To) - 1)) : To{0};
  }
  const From limit = std::ldexp(From{1}, std::numeric_limits<To>::digits);
  if (whole >= limit) return std::numeric_limits<To>::max();
  if (std::is_signed_v<To> ? whole < -limit : whole < 0) return std::numeric_limits<To>::min();
  return static_cast<To>(whole);
}

inline f32 flush(f32 value) { return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value; }
inline f32 saturate(f32 value) { return value > 0.0f ? (value < 1.0f ? value : 1.0f) : 0.0f; }

/// The upper 19 bits of a float; `rounding`: 'a' to nearest, ties away from zero; 'n' ties to even; 'z' towards zero.
/// NaN and infinity as ptxas 13.0 compiles it for sm_80 to sm_120: the lower bits are cut off, so a NaN that has only
/// lower bits becomes infinity.
template <char rounding>
u32 to_tf32(f32 value) {
  const auto bits = std::bit_cast<u32>(value);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits & 0xffffe000u;
  const u32 rest = bits & 0x1fffu;
  u32 kept = bits >> 13;
  if (rounding == 'a' && rest >= 0x1000u) ++kept;
  if (rounding == 'n' && (rest > 0x1000u || (rest == 0x1000u && (kept & 1u) != 0))) ++kept;
  return kept << 13;
}

/// div.approx: 0 for large divisors (PTX ISA, div).
inline f32 divide_approximately(f32 a, f32 b) {
  const f32 size = std::fabs(b);
  if (size > 0x1p126f && size < std::numeric_limits<f32>::infinity()) {
    return std::isinf(a) ? canonical_nan<f32>() : a != a ? a : std::copysign(0.0f, std::copysign(1.0f, a) * b);
  }
  return a / b;
}

inline u16 to_f16(f32 value) {
  const u32 sign = std::bit_cast<u32>(value) >> 16 & 0x8000u;
  const f32 size = std::fabs(value);
  if (value != value) return 0x7fff;
  if (size >= 65520.0f) return static_cast<u16>(sign | 0x7c00u);
  const int exponent = size < 0x1p-14f ? -14 : std::ilogb(size);
  // Rounding up to the next power of two carries into the exponent.
  const u32 mantissa = static_cast<u32>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  return static_cast<u16>(sign | ((static_cast<u32>(exponent + 14) << 10) + mantissa));
}
inline f32 from_f16(u16 bits) {
  const int exponent = bits >> 10 & 31;
  const u32 mantissa = bits & 0x3ffu;
  const u32 sign = static_cast<u32>(bits & 0x8000u) << 16;
  if (exponent == 31) return std::bit_cast<f32>(sign | 0x7f800000u | mantissa << 13);
  const f32 size = exponent == 0 ? std::ldexp(static_cast<f32>(mantissa), -24)
                                 : std::ldexp(static_cast<f32>(mantissa | 0x400u), exponent - 25);
  return std::bit_cast<f32>(std::bit_cast<u32>(size) | sign);
}

inline u32 to_bf16(f32 value) {
  const auto bits = std::bit_cast<u32>(value);
  if (value != value) return 0x7fff;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

// ---- bits -----------------------------------------------------------------------------------------------------------

template <class T>
T shift_left(T a, u32 by) {
  return by < 8 * sizeof(T) ? static_cast<T>(a << by) : T{0};
}
template <class T>
T shift_right(T a, u32 by) {
  constexpr u32 kMost = 8 * sizeof(T) - 1;
  if constexpr (std::is_signed_v<T>) return static_cast<T>(a >> std::min(by, kMost));
  return by <= kMost ? static_cast<T>(a >> by) : T{0};
}
/// shf: shifts the 64 bits b:a.
inline u32 funnel_left(u32 a, u32 b, u32 by) { return static_cast<u32>(((u64{b} << 32 | a) << (by & 31u)) >> 32); }
inline u32 funnel_right(u32 a, u32 b, u32 by) { return static_cast<u32>((u64{b} << 32 | a) >> (by & 31u)); }

template <class T>
T reverse_bits(T value) {
  T result = 0;
  for (unsigned k = 0; k < 8 * sizeof(T); ++k) result = static_cast<T>(result << 1 | (value >> k & 1u));
  return result;
}

inline u32 permute(u32 a, u32 b, u32 selection) {
  const u64 bytes = static_cast<u64>(b) << 32 | a;
  u32 result = 0;
  for (unsigned k = 0; k < 4; ++k) {
    const u32 nibble = selection >> 4 * k & 0xfu;
    u32 byte = static_cast<u32>(bytes >> 8 * (nibble & 7u)) & 0xffu;
    if ((nibble & 8u) != 0) byte = (byte & 0x80u) != 0 ? 0xffu : 0;  // replicates the sign
    result |= byte << 8 * k;
  }
  return result;
}

/// bfe.u32: `count` bits of a from bit `at` on.
inline u32 extract_bits(u32 a, u32 at, u32 count) {
  at &= 0xffu;
  count &= 0xffu;
  if (at > 31 || count == 0) return 0;
  return static_cast<u32>(u64{a} >> at & ((u64{1} << std::min(count, 32u)) - 1));
}

}  // namespace minception::simt::ptx
