#include "core/dtype.h"

#include "tests/catch.h"

#include <bit>
#include <cmath>
#include <limits>

using namespace minception;

namespace {

float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }

bf16 bf16_of(std::uint16_t bits) {
  bf16 value;
  value.bits = bits;
  return value;
}

}  // namespace

TEST_CASE("every dtype has a size and a name that parses back") {
  const std::pair<DType, std::size_t> expected[] = {{DType::f32, 4}, {DType::bf16, 2}, {DType::f64, 8}, {DType::i32, 4},
                                                    {DType::u8, 1},  {DType::i64, 8},  {DType::f16, 2}};
  for (const auto& [dtype, size] : expected) {
    CAPTURE(name_of(dtype));
    CHECK(size_of(dtype) == size);
    CHECK(parse_dtype(name_of(dtype)) == dtype);
  }
  CHECK_FALSE(parse_dtype("F32").has_value());
  CHECK_FALSE(parse_dtype("").has_value());
}

TEST_CASE("all 65536 bf16 values survive conversion to float and back") {
  int wrong = 0;
  int nans = 0;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const bf16 value = bf16_of(static_cast<std::uint16_t>(bits));
    const float widened = value;
    if (std::isnan(widened)) {
      ++nans;
      const bf16 back(widened);
      // Sign and payload are kept; a signalling NaN becomes quiet.
      if (back.bits != (bits | 0x0040u)) ++wrong;
    } else if (bf16(widened).bits != bits) {
      ++wrong;
    }
  }
  CHECK(wrong == 0);
  CHECK(nans == 2 * 127);
}

TEST_CASE("float to bf16 rounds to nearest even") {
  // Between adjacent values: just below, at and just above the midpoint.
  int wrong = 0;
  for (std::uint32_t upper = 0; upper < 0x7f80u; ++upper) {
    for (std::uint32_t sign : {0u, 0x8000u}) {
      const std::uint32_t bits = (sign | upper) << 16;
      const auto here = static_cast<std::uint16_t>(sign | upper);
      const auto next = static_cast<std::uint16_t>(here + 1);  // infinity after the largest
      const std::uint16_t even = upper % 2 == 0 ? here : next;
      wrong += bf16(float_of(bits | 0x7fffu)).bits != here;
      wrong += bf16(float_of(bits | 0x8000u)).bits != even;
      wrong += bf16(float_of(bits | 0x8001u)).bits != next;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("bf16 keeps infinity and NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(static_cast<float>(bf16(infinity)) == infinity);
  CHECK(static_cast<float>(bf16(-infinity)) == -infinity);
  CHECK(static_cast<float>(bf16(std::numeric_limits<float>::max())) == infinity);
  CHECK(bf16(-0.0f).bits == 0x8000);
  for (std::uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffffffffu, 0x7fc00000u}) {
    CAPTURE(bits);
    const bf16 value(float_of(bits));
    CHECK(std::isnan(static_cast<float>(value)));
    CHECK((value.bits & 0x8000u) == (bits >> 31 << 15));
  }
}
