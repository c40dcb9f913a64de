#pragma once
/// Counter-based random numbers: a value depends only on (seed, stream, index). Every device, thread count and resumed
/// run gets the same numbers, and there is no state to save.

#include "core/host_device.h"

#include <cmath>
#include <cstdint>
#include <string_view>

namespace minception {

struct PhiloxBlock {
  std::uint32_t word[4];
};

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2): ten rounds over a
/// 128-bit counter under a 64-bit key.
MINCEPTION_HOST_DEVICE inline PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter.word[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {
        {static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<std::uint32_t>(product1),
         static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<std::uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// One random stream of a seed.
struct Random {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;

  /// Random bits of the indices 4 * block to 4 * block + 3.
  MINCEPTION_HOST_DEVICE PhiloxBlock four(std::uint64_t block) const {
    const PhiloxBlock counter = {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                                  static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)}};
    return philox4x32(counter, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  }
  /// 32 random bits.
  MINCEPTION_HOST_DEVICE std::uint32_t bits(std::uint64_t index) const {
    // Constant indices: a GPU would keep an array with a variable index in local memory.
    const PhiloxBlock block = four(index >> 2);
    const std::uint32_t even = (index & 2) != 0 ? block.word[2] : block.word[0];
    const std::uint32_t odd = (index & 2) != 0 ? block.word[3] : block.word[1];
    return (index & 1) != 0 ? odd : even;
  }
  /// Maps 32 random bits to [0, 1), as in `uniform`.
  MINCEPTION_HOST_DEVICE static float to_uniform(std::uint32_t bits) {
    return static_cast<float>(bits >> 8) * 0x1p-24f;
  }
  /// Uniform in [0, 1) with 24 bits.
  MINCEPTION_HOST_DEVICE float uniform(std::uint64_t index) const { return to_uniform(bits(index)); }
  /// Standard normal (Box & Muller 1958). Host only.
  double normal(std::uint64_t index) const {
    const double radius = std::sqrt(-2.0 * std::log((bits(2 * index) + 1.0) * 0x1p-32));
    return radius * std::cos(6.283185307179586 * bits(2 * index + 1) * 0x1p-32);
  }
};

/// Stream number for a name: 64-bit FNV-1a.
constexpr std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
  return hash;
}

/// Element `position` of a pseudo-random permutation of [0, count), computed without a table: a four-round Feistel
/// network over the next power of four, with cycle walking (Black & Rogaway 2002, "Ciphers with arbitrary finite
/// domains"). `count` is at most 2^32.
MINCEPTION_HOST_DEVICE inline std::uint64_t permuted(const Random& random, std::uint64_t count,
                                                     std::uint64_t position) {
  int half_bits = 1;
  while ((std::uint64_t{1} << (2 * half_bits)) < count) ++half_bits;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  do {
    std::uint64_t left = position >> half_bits;
    std::uint64_t right = position & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      // The half and the round form the block number; the stream uses the other two counter words.
      const std::uint64_t mixed = random.bits((right << 2 | round) << 2) & mask;
      const std::uint64_t next = left ^ mixed;
      left = right;
      right = next;
    }
    position = left << half_bits | right;
  } while (position >= count);
  return position;
}

}  // namespace minception
