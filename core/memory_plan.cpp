#include "core/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace minception {

MemoryPlan plan_memory(std::span<const Lifetime> blocks, bool reuse, std::size_t alignment) {
  const auto rounded = [alignment](std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; };
  MemoryPlan plan;
  plan.offsets.resize(blocks.size());
  int steps = 0;
  for (const Lifetime& block : blocks) {
    plan.sum_bytes += rounded(block.bytes);
    steps = std::max(steps, block.last + 1);
  }
  for (int step = 0; step < steps; ++step) {
    std::size_t live = 0;
    for (const Lifetime& block : blocks) {
      if (block.first <= step && step <= block.last) live += rounded(block.bytes);
    }
    plan.live_bytes = std::max(plan.live_bytes, live);
  }

  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<std::size_t> placed;  // sorted by offset
  for (std::size_t index : order) {
    const Lifetime& block = blocks[index];
    std::size_t offset = 0;
    if (reuse) {
      for (std::size_t other : placed) {
        const Lifetime& taken = blocks[other];
        if (taken.last < block.first || block.last < taken.first) continue;
        if (offset + rounded(block.bytes) <= plan.offsets[other]) break;
        offset = std::max(offset, plan.offsets[other] + rounded(taken.bytes));
      }
    } else {
      offset = plan.arena_bytes;
    }
    plan.offsets[index] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + rounded(block.bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), index,
                                   [&](std::size_t a, std::size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
                  index);
  }
  return plan;
}

}  // namespace minception
