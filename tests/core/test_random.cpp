#include "core/random.h"

#include "tests/catch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

using namespace minception;

namespace {

using Words = std::array<std::uint32_t, 4>;

Words philox(const Words& counter, std::uint32_t key0, std::uint32_t key1) {
  const PhiloxBlock block = philox4x32({{counter[0], counter[1], counter[2], counter[3]}}, key0, key1);
  return {block.word[0], block.word[1], block.word[2], block.word[3]};
}

bool is_permutation_of(const Random& random, std::uint64_t count) {
  std::vector<bool> seen(count, false);
  for (std::uint64_t position = 0; position < count; ++position) {
    const std::uint64_t value = permuted(random, count, position);
    if (value >= count || seen[value]) return false;
    seen[value] = true;
  }
  return true;
}

}  // namespace

TEST_CASE("Philox4x32-10 matches the published test vectors") {
  // philox4x32 with 10 rounds in kat_vectors of the authors' Random123: all zeros, all ones, digits of pi.
  CHECK(philox({0, 0, 0, 0}, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("index and stream form the counter and the seed forms the key") {
  const Random random{0x299f31d0a4093822, 0x0370734413198a2e};
  // The index counts words, four per block; the block number is the lower half of the counter.
  const std::uint64_t index = 0x05a308d3243f6a88;
  const std::uint64_t block = index >> 2;
  const Words expected =
      philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0x13198a2e, 0x03707344},
             0xa4093822, 0x299f31d0);
  for (std::uint64_t word = 0; word < 4; ++word) CHECK(random.bits(index + word) == expected[word]);
}

TEST_CASE("different seeds or streams or indices give different numbers") {
  std::set<std::uint32_t> seen;
  for (std::uint64_t value : {0ull, 1ull, 2ull, 1ull << 32, 1ull << 63}) {
    seen.insert(Random{value, 7}.bits(7));
    seen.insert(Random{7, value}.bits(7));
    seen.insert(Random{7, 7}.bits(value));
  }
  CHECK(seen.size() == 15);
}

TEST_CASE("uniform numbers fill the range from 0 to 1 evenly") {
  const Random random{3, 5};
  constexpr int kCount = 1 << 20;
  constexpr int kBins = 64;
  double sum = 0.0;
  double squares = 0.0;
  double neighbours = 0.0;
  float previous = random.uniform(kCount);
  int outside = 0;
  std::array<int, kBins> bins{};
  for (int i = 0; i < kCount; ++i) {
    const float value = random.uniform(static_cast<std::uint64_t>(i));
    outside += !(value >= 0.0f && value < 1.0f);
    sum += value;
    squares += double{value} * value;
    neighbours += (value - 0.5) * (previous - 0.5);
    previous = value;
    ++bins[std::min<std::size_t>(static_cast<std::size_t>(value * kBins), kBins - 1)];
  }
  REQUIRE(outside == 0);
  // Five standard errors each: sd of u is sqrt(1/12), of u^2 sqrt(4/45), of the product of two values 1/12.
  const double error = 5.0 / std::sqrt(double{kCount});
  CHECK(std::abs(sum / kCount - 0.5) < error * std::sqrt(1.0 / 12));
  CHECK(std::abs(squares / kCount - 1.0 / 3) < error * std::sqrt(4.0 / 45));
  CHECK(std::abs(neighbours / kCount) < error / 12);
  double chi_squared = 0.0;
  const double expected = double{kCount} / kBins;
  for (int bin : bins) chi_squared += (bin - expected) * (bin - expected) / expected;
  // 63 degrees of freedom: each bound fails for about one in a million random generators.
  CHECK(chi_squared < 130.0);
  CHECK(chi_squared > 22.0);
}

TEST_CASE("normal numbers have the moments and tails of the standard normal") {
  const Random random{11, 2};
  constexpr int kCount = 1 << 19;
  std::array<double, 5> moments{};
  int beyond_two = 0;
  int infinite = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = random.normal(static_cast<std::uint64_t>(i));
    infinite += !std::isfinite(value);
    double power = 1.0;
    for (double& moment : moments) {
      moment += power;
      power *= value;
    }
    beyond_two += std::abs(value) > 2.0;
  }
  REQUIRE(infinite == 0);
  const double error = 5.0 / std::sqrt(double{kCount});
  CHECK(std::abs(moments[1] / kCount) < error);
  CHECK(std::abs(moments[2] / kCount - 1.0) < error * std::sqrt(2.0));
  CHECK(std::abs(moments[3] / kCount) < error * std::sqrt(15.0));
  CHECK(std::abs(moments[4] / kCount - 3.0) < error * std::sqrt(96.0));
  const double tail = 0.0455002638963584;  // P(|x| > 2)
  CHECK(std::abs(static_cast<double>(beyond_two) / kCount - tail) < error * std::sqrt(tail * (1 - tail)));
}

TEST_CASE("permuted is a permutation for every count") {
  for (std::uint64_t count = 1; count <= 300; ++count) {
    CAPTURE(count);
    REQUIRE(is_permutation_of(Random{count, 1}, count));
  }
  for (std::uint64_t count : {1023u, 1024u, 1025u, 4095u, 4096u, 4097u, 10000u, 60000u, 65536u, 65537u}) {
    CAPTURE(count);
    REQUIRE(is_permutation_of(Random{42, 7}, count));
  }
}

TEST_CASE("permuted stays in range for the largest counts") {
  const Random random{1, 1};
  for (std::uint64_t count : {(1ull << 32) - 1, 1ull << 32, (1ull << 31) + 1}) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const std::uint64_t value = permuted(random, count, count - 1 - i);
      CHECK(value < count);
      seen.insert(value);
    }
    CHECK(seen.size() == 1000);
  }
}

TEST_CASE("permuted mixes: fixed points and adjacent pairs are rare and streams differ") {
  constexpr std::uint64_t kCount = 60000;
  int fixed = 0;
  int adjacent = 0;
  int same_in_other_stream = 0;
  double displacement = 0.0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const std::uint64_t value = permuted(Random{5, 0}, kCount, i);
    const std::uint64_t next = permuted(Random{5, 0}, kCount, (i + 1) % kCount);
    fixed += value == i;
    adjacent += next == value + 1;
    same_in_other_stream += value == permuted(Random{5, 1}, kCount, i);
    displacement += std::abs(static_cast<double>(value) - static_cast<double>(i));
  }
  // For a random permutation each count is close to Poisson with mean 1; more than 9 has a probability of 1e-7.
  CHECK(fixed <= 9);
  CHECK(adjacent <= 9);
  CHECK(same_in_other_stream <= 9);
  // The mean distance is a third of the count, with a standard error of 0.24 / sqrt(count).
  CHECK(std::abs(displacement / kCount / kCount - 1.0 / 3) < 5 * 0.24 / std::sqrt(double{kCount}));
}

TEST_CASE("all permutations of 3 elements occur about equally often") {
  std::array<int, 6> counts{};
  constexpr int kTrials = 6000;
  for (std::uint64_t stream = 0; stream < kTrials; ++stream) {
    const std::uint64_t a = permuted(Random{9, stream}, 3, 0);
    const std::uint64_t b = permuted(Random{9, stream}, 3, 1);
    ++counts[a * 2 + (b > a ? b - 1 : b)];
  }
  // A tiny Feistel network is only roughly uniform. No order may be missing or strongly favoured.
  for (int count : counts) {
    CHECK(count > kTrials / 12);
    CHECK(count < kTrials / 3);
  }
}
