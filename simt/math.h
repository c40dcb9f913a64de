#pragma once
/// Math functions of device code. min and max have exactly the overloads of CUDA: without one of them, a float would
/// silently become an int; with an additional one, calls that are ambiguous in nvcc would compile.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#define MINCEPTION_MIN_MAX(result, first, second)                                                             \
  inline result min(first a, second b) {                                                                      \
    return static_cast<result>(b) < static_cast<result>(a) ? static_cast<result>(b) : static_cast<result>(a); \
  }                                                                                                           \
  inline result max(first a, second b) {                                                                      \
    return static_cast<result>(a) < static_cast<result>(b) ? static_cast<result>(b) : static_cast<result>(a); \
  }
#define MINCEPTION_MIN_MAX_SIGNED_UNSIGNED(integer)                        \
  MINCEPTION_MIN_MAX(integer, integer, integer)                            \
  MINCEPTION_MIN_MAX(unsigned integer, unsigned integer, unsigned integer) \
  MINCEPTION_MIN_MAX(unsigned integer, integer, unsigned integer)          \
  MINCEPTION_MIN_MAX(unsigned integer, unsigned integer, integer)
MINCEPTION_MIN_MAX_SIGNED_UNSIGNED(int)
MINCEPTION_MIN_MAX_SIGNED_UNSIGNED(long)
MINCEPTION_MIN_MAX_SIGNED_UNSIGNED(long long)
#undef MINCEPTION_MIN_MAX_SIGNED_UNSIGNED
#undef MINCEPTION_MIN_MAX

// If one argument is NaN, the result is the other.
inline float min(float a, float b) { return std::fmin(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double min(float a, double b) { return std::fmin(static_cast<double>(a), b); }
inline double min(double a, float b) { return std::fmin(a, static_cast<double>(b)); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
inline double max(float a, double b) { return std::fmax(static_cast<double>(a), b); }
inline double max(double a, float b) { return std::fmax(a, static_cast<double>(b)); }

using std::isfinite;
using std::isinf;
using std::isnan;

// The C library already provides its single-precision names (sqrtf, expf, ...).
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }

namespace minception::simt {
/// Converts an integral float to int: NaN becomes 0, values out of range saturate.
inline int saturated(float whole) {
  if (std::isnan(whole)) return 0;
  if (whole >= 0x1p31f) return std::numeric_limits<int>::max();
  return whole < -0x1p31f ? std::numeric_limits<int>::min() : static_cast<int>(whole);
}
}  // namespace minception::simt
inline int __float2int_rd(float x) { return minception::simt::saturated(std::floor(x)); }
inline int __float2int_rn(float x) { return minception::simt::saturated(std::nearbyint(x)); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(x) * y >> 32);
}

/// A load through the read-only cache in CUDA; a plain load here.
template <class T>
T __ldg(const T* address) {
  return *address;
}
