#pragma once
/// Static memory planning: assigns every block an offset in an arena before execution. Blocks with disjoint lifetimes
/// can share memory.

#include <cstddef>
#include <span>
#include <vector>

namespace minception {

/// A block that is live from step `first` to step `last`, inclusive.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  ///< one per block, multiples of `alignment`
  std::size_t arena_bytes = 0;       ///< size of the arena
  std::size_t live_bytes = 0;        ///< largest sum of blocks live at one step: lower bound for every plan
  std::size_t sum_bytes = 0;         ///< sum of all blocks: size of the arena without reuse
};

/// Places the blocks in descending order of size, each at the lowest offset that is free for its whole lifetime. For
/// training plans the arena is within a few per cent of `live_bytes`. Pisarchyk & Lee 2020, "Efficient memory
/// management for deep neural net inference", compare such strategies. With `reuse` false, blocks share no memory.
MemoryPlan plan_memory(std::span<const Lifetime> blocks, bool reuse = true, std::size_t alignment = 64);

}  // namespace minception
