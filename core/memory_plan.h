#pragma once
/// Static memory planning: every block of an arena gets its place before anything runs, and blocks whose lifetimes do
/// not meet share memory.

#include <cstddef>
#include <span>
#include <vector>

namespace minception {

/// A block needed from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  ///< one per block, multiples of `alignment`
  std::size_t arena_bytes = 0;       ///< what the arena must hold
  std::size_t live_bytes = 0;        ///< the largest sum of blocks alive at one step: no plan can do with less
  std::size_t sum_bytes = 0;         ///< the sum of all blocks: what it takes without reuse
};

/// Places the blocks greedily by size, each at the lowest offset that is free during its whole lifetime: within a few
/// per cent of `live_bytes` for training plans (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net
/// inference", compare such strategies). With `reuse` off every block has memory of its own.
MemoryPlan plan_memory(std::span<const Lifetime> blocks, bool reuse = true, std::size_t alignment = 64);

}  // namespace minception
