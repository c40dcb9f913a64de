/// Compares bf16 of core/dtype.h with __nv_bfloat16 bit for bit. Built if cuda_bf16.h of the toolkit is found. Needs no
/// GPU.

#include "core/dtype.h"

#include <cuda_bf16.h>
#include "tests/catch.h"

#include <bit>
#include <cmath>
#include <cstdint>

using minception::bf16;

namespace {

std::uint16_t bits_of(__nv_bfloat16 value) { return static_cast<__nv_bfloat16_raw>(value).x; }

bool is_nan(std::uint16_t bits) { return (bits & 0x7fffu) > 0x7f80u; }

}  // namespace

TEST_CASE("every bf16 converts to the same float as in CUDA") {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    bf16 ours;
    ours.bits = static_cast<std::uint16_t>(bits);
    const __nv_bfloat16 theirs(__nv_bfloat16_raw{ours.bits});
    const auto expected = std::bit_cast<std::uint32_t>(__bfloat162float(theirs));
    wrong += std::bit_cast<std::uint32_t>(static_cast<float>(ours)) == expected ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("float to bf16 rounds as in CUDA") {
  int wrong = 0, nan = 0, other_payload = 0;
  // Every upper half, with lower halves at zero, around the tie, at the maximum, and a few others.
  for (std::uint32_t upper = 0; upper < 0x10000u; ++upper) {
    for (const std::uint32_t lower :
         {0x0000u, 0x0001u, 0x1234u, 0x7ffeu, 0x7fffu, 0x8000u, 0x8001u, 0x9abcu, 0xc000u, 0xfffeu, 0xffffu}) {
      const auto value = std::bit_cast<float>(upper << 16 | lower);
      const std::uint16_t ours = bf16(value).bits;
      const std::uint16_t theirs = bits_of(__float2bfloat16_rn(value));
      if (std::isnan(value)) {
        // bf16 keeps the sign and the upper bits of the payload; CUDA returns one canonical NaN.
        ++nan;
        wrong += is_nan(ours) && is_nan(theirs) && theirs == 0x7fffu && ours == ((upper & 0xffffu) | 0x40u) ? 0 : 1;
        other_payload += ours == theirs ? 0 : 1;
      } else {
        wrong += ours == theirs ? 0 : 1;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(nan == 2 * (128 * 11 - 1));
  CHECK(other_payload > 0);
}
