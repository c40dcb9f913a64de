#pragma once
/// Checks for any backend that the case tables cannot express: casts bit by bit, counts of NaN and infinities.

#include "kernels/backend.h"

#include "tests/catch.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace minception {

/// Elements in the memory of a backend.
template <class T>
class OnDevice {
 public:
  OnDevice(Backend& backend, const std::vector<T>& values)
      : backend_(backend), count_(values.size()), buffer_(backend.allocate(count_ * sizeof(T))) {
    backend.copy_to_device(buffer_.data(), values.data(), count_ * sizeof(T));
  }
  Tensor tensor(Shape shape) const { return Tensor(shape, dtype_of<T>::value, buffer_.data(), backend_.device()); }
  Tensor flat() const { return tensor(Shape{static_cast<std::int64_t>(count_)}); }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    backend_.synchronize();
    backend_.copy_to_host(values.data(), buffer_.data(), count_ * sizeof(T));
    return values;
  }

 private:
  Backend& backend_;
  std::size_t count_;
  Buffer buffer_;
};

template <class To, class From>
std::vector<To> cast_on(Backend& backend, const std::vector<From>& values) {
  const OnDevice<From> x(backend, values);
  const OnDevice<To> y(backend, std::vector<To>(values.size()));
  Cast op;
  op.x = x.flat();
  op.y = y.flat();
  backend.run(op);
  return y.read();
}

inline bool is_nan(bf16 value) { return (value.bits & 0x7fffu) > 0x7f80u; }

inline void check_casts(Backend& backend) {
  // bf16 -> f32 -> bf16 is the identity for every bf16.
  std::vector<bf16> all(0x10000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].bits = static_cast<std::uint16_t>(i);
  const std::vector<float> widened = cast_on<float>(backend, all);
  const std::vector<bf16> narrowed = cast_on<bf16>(backend, widened);
  const std::vector<bf16> copied = cast_on<bf16>(backend, all);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_nan(all[i])) {
      wrong += std::isnan(widened[i]) && is_nan(narrowed[i]) && is_nan(copied[i]) ? 0 : 1;
    } else {
      const bool same = std::bit_cast<std::uint32_t>(widened[i]) == i << 16;
      wrong += same && narrowed[i].bits == i && copied[i].bits == i ? 0 : 1;
    }
  }
  CHECK(wrong == 0);

  struct Rounding {
    std::uint32_t from;
    std::uint16_t to;
  };
  const Rounding roundings[] = {
      {0x3f800000, 0x3f80}, {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80},  // a tie, down to even
      {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},                        // a tie, up to even
      {0xbf818000, 0xbf82}, {0x3fff8000, 0x4000},                        // rounds up to the next binade
      {0x7f7fffff, 0x7f80},                                              // overflow to infinity
      {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x80000000, 0x8000}, {0x00000001, 0x0000},
      {0x00008000, 0x0000}, {0x00008001, 0x0001}, {0x80018000, 0x8002},  // subnormal
  };
  std::vector<float> from;
  for (const Rounding& rounding : roundings) from.push_back(std::bit_cast<float>(rounding.from));
  for (const std::uint32_t nan : {0x7f800001u, 0x7fffffffu, 0xffc00000u}) from.push_back(std::bit_cast<float>(nan));
  const std::vector<bf16> to = cast_on<bf16>(backend, from);
  for (std::size_t i = 0; i < to.size(); ++i) {
    INFO("bits " << std::hex << std::bit_cast<std::uint32_t>(from[i]));
    if (i < std::size(roundings)) {
      CHECK(to[i].bits == roundings[i].to);
    } else {
      CHECK(is_nan(to[i]));
    }
  }

  // Slice to slice: two images of 3 pixels, 4 of 7 channels to 4 of 12.
  std::vector<float> wide(6 * 7);
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<float>(i) / 8.0f;
  const OnDevice<float> x(backend, wide);
  const OnDevice<bf16> y(backend, std::vector<bf16>(6 * 12, bf16(-1.0f)));
  Cast op;
  op.x = x.tensor({2, 7, 1, 3}).channels(2, 4);
  op.y = y.tensor({2, 12, 1, 3}).channels(4, 4);
  backend.run(op);
  const std::vector<bf16> slices = y.read();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const std::size_t channel = i % 12;
    const bool inside = channel >= 4 && channel < 8;
    CHECK(static_cast<float>(slices[i]) == (inside ? wide[i / 12 * 7 + channel - 2] : -1.0f));
  }
}

/// fill rounds its value to bf16.
inline void check_bf16_fill(Backend& backend) {
  const OnDevice<bf16> y(backend, std::vector<bf16>(19));
  Fill op;
  op.value = 0.1;
  op.y = y.flat();
  backend.run(op);
  for (const bf16 value : y.read()) CHECK(value.bits == 0x3dcd);
}

inline void check_norms_of_what_is_not_finite(Backend& backend) {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values(20000, 0.0f);
  values[0] = 3.0f;
  values[1] = -4.0f;
  values[3] = nan;
  values[4] = infinity;
  values[5] = -nan;
  values[10] = -infinity;
  values[19999] = infinity;
  values[20] = values[21] = 1e30f;  // their squares overflow f32
  values[30] = values[31] = 1e-30f;
  const OnDevice<float> x(backend, values);
  const OnDevice<float> y(backend, std::vector<float>(12, -1.0f));
  GroupNorms op;
  op.groups = {{0, 3}, {3, 3}, {8, 0}, {10, 10000 - 10, 1.0, 0.0, false}, {10000, 10000}, {20000, 0}};
  op.x = x.flat();
  op.y = y.tensor({6, 2});
  const Buffer workspace = backend.allocate(backend.plan(op).workspace);
  backend.run(op, {workspace.data(), backend.plan(op).workspace});
  std::vector<float> norms = y.read();
  CHECK(norms[0] == 5.0f);
  CHECK(norms[1] == 0.0f);
  CHECK(std::isnan(norms[2]));
  CHECK(norms[3] == 3.0f);
  CHECK(norms[4] == 0.0f);
  CHECK(norms[5] == 0.0f);
  CHECK(norms[6] == infinity);
  CHECK(norms[7] == 1.0f);
  CHECK(norms[8] == infinity);
  CHECK(norms[9] == 1.0f);
  CHECK(norms[10] == 0.0f);
  CHECK(norms[11] == 0.0f);

  op.groups = {{20, 2}, {30, 2}};
  op.y = y.tensor({6, 2}).first(2);
  backend.run(op, {workspace.data(), backend.plan(op).workspace});
  norms = y.read();
  CHECK(norms[0] == Approx(std::sqrt(2.0) * 1e30));
  CHECK(norms[1] == 0.0f);
  CHECK(norms[2] == Approx(std::sqrt(2.0) * 1e-30));
  CHECK(norms[3] == 0.0f);
}

/// Runs all checks above.
inline void check_conversions(Backend& backend) {
  check_casts(backend);
  check_bf16_fill(backend);
  check_norms_of_what_is_not_finite(backend);
}

}  // namespace minception
