#include "core/buffer.h"
#include "core/error.h"

#include "tests/catch.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

using namespace minception;

TEST_CASE("allocate_host returns zeroed memory aligned to 64 bytes") {
  for (std::size_t bytes : {1u, 63u, 64u, 65u, 1000u}) {
    CAPTURE(bytes);
    const Buffer buffer = allocate_host(bytes);
    REQUIRE(buffer.data() != nullptr);
    CHECK(buffer.bytes() == bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
    const auto* begin = static_cast<const std::byte*>(buffer.data());
    CHECK(std::all_of(begin, begin + bytes, [](std::byte value) { return value == std::byte{0}; }));
    CHECK(buffer.device() == Device{});
  }
}

TEST_CASE("allocate_host of 0 bytes returns an empty buffer") {
  const Buffer buffer = allocate_host(0);
  CHECK(buffer.data() == nullptr);
  CHECK(buffer.bytes() == 0);
}

TEST_CASE("a buffer calls its deleter once even after a move") {
  static int freed = 0;
  freed = 0;
  int value = 0;
  {
    Buffer first(&value, sizeof(value), Device{}, [](void*) { ++freed; });
    const Buffer second = std::move(first);
    CHECK(second.data() == &value);
    CHECK(freed == 0);
  }
  CHECK(freed == 1);
}

TEST_CASE("allocate_host throws with the bytes needed if memory is short") {
  CHECK_THROWS_WITH(allocate_host(std::size_t{1} << 60), Catch::Contains("1152921504606846976 bytes needed"));
  CHECK_THROWS_WITH(allocate_host(std::numeric_limits<std::size_t>::max()), Catch::Contains("out of memory"));
}

TEST_CASE("Device to_string returns cpu or cuda with the index") {
  CHECK(Device{}.to_string() == "cpu");
  CHECK(Device{DeviceKind::cuda, 1}.to_string() == "cuda:1");
}
