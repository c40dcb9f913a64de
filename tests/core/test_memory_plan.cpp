#include "core/memory_plan.h"
#include "core/random.h"

#include "tests/catch.h"

#include <algorithm>

using namespace minception;

namespace {

constexpr std::size_t kUnit = 64;

bool meet(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

/// The largest sum of rounded blocks live at one step. Tries the first step of every block.
std::size_t live_bytes(const std::vector<Lifetime>& blocks, std::size_t alignment) {
  std::size_t most = 0;
  for (const Lifetime& at : blocks) {
    std::size_t sum = 0;
    for (const Lifetime& block : blocks) {
      if (block.first <= at.first && at.first <= block.last)
        sum += (block.bytes + alignment - 1) / alignment * alignment;
    }
    most = std::max(most, sum);
  }
  return most;
}

void check_valid(const std::vector<Lifetime>& blocks, const MemoryPlan& plan, std::size_t alignment) {
  REQUIRE(plan.offsets.size() == blocks.size());
  int overlaps = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CHECK(plan.offsets[i] % alignment == 0);
    CHECK(plan.offsets[i] + blocks[i].bytes <= plan.arena_bytes);
    for (std::size_t j = 0; j < i; ++j) {
      const bool apart =
          plan.offsets[i] + blocks[i].bytes <= plan.offsets[j] || plan.offsets[j] + blocks[j].bytes <= plan.offsets[i];
      overlaps += meet(blocks[i], blocks[j]) && !apart;
    }
  }
  CHECK(overlaps == 0);
  CHECK(plan.live_bytes == live_bytes(blocks, alignment));
  CHECK(plan.live_bytes <= plan.arena_bytes);
  CHECK(plan.arena_bytes <= plan.sum_bytes);
}

}  // namespace

TEST_CASE("blocks with overlapping lifetimes share no memory in random plans") {
  std::size_t reused = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    const Random random{seed, 0};
    std::uint64_t index = 0;
    const auto below = [&](std::uint32_t limit) { return random.bits(index++) % limit; };
    const std::size_t count = 1 + below(40);
    const int steps = static_cast<int>(1 + below(30));
    const std::size_t alignment = std::size_t{1} << below(9);
    std::vector<Lifetime> blocks;
    for (std::size_t i = 0; i < count; ++i) {
      const int first = static_cast<int>(below(static_cast<std::uint32_t>(steps)));
      const int last = first + static_cast<int>(below(static_cast<std::uint32_t>(steps - first)));
      blocks.push_back({below(2000), first, last});
    }
    const MemoryPlan plan = plan_memory(blocks, true, alignment);
    check_valid(blocks, plan, alignment);
    reused += plan.arena_bytes < plan.sum_bytes;

    const MemoryPlan separate = plan_memory(blocks, false, alignment);
    check_valid(blocks, separate, alignment);
    CHECK(separate.arena_bytes == separate.sum_bytes);
  }
  CHECK(reused > 150);
}

TEST_CASE("a chain of equal blocks needs the memory of two blocks") {
  std::vector<Lifetime> chain;
  for (int step = 0; step < 20; ++step) chain.push_back({10 * kUnit, step, step + 1});
  const MemoryPlan plan = plan_memory(chain);
  CHECK(plan.live_bytes == 20 * kUnit);
  CHECK(plan.arena_bytes == 20 * kUnit);
  CHECK(plan.sum_bytes == 200 * kUnit);
}

TEST_CASE("a chain of unequal blocks reaches the optimum") {
  const std::vector<Lifetime> chain = {{4 * kUnit, 0, 1}, {2 * kUnit, 1, 2}, {3 * kUnit, 2, 3}, {1 * kUnit, 3, 4}};
  const MemoryPlan plan = plan_memory(chain);
  CHECK(plan.offsets == std::vector<std::size_t>{0, 4 * kUnit, 0, 3 * kUnit});
  CHECK(plan.live_bytes == 6 * kUnit);
  CHECK(plan.arena_bytes == 6 * kUnit);
  CHECK(plan.sum_bytes == 10 * kUnit);
}

TEST_CASE("the plan of a training step is within 10 per cent of the optimum") {
  // Activations live until their backward step, gradients for two steps; both shrink towards the end of the
  // network.
  constexpr int kLayers = 12;
  std::vector<Lifetime> blocks;
  for (int layer = 0; layer < kLayers; ++layer) {
    const std::size_t bytes = static_cast<std::size_t>(kLayers - layer) * kUnit;
    blocks.push_back({bytes, layer, 2 * kLayers - layer});
    blocks.push_back({bytes, 2 * kLayers - layer - 1, 2 * kLayers - layer});
  }
  const MemoryPlan plan = plan_memory(blocks);
  check_valid(blocks, plan, kUnit);
  CHECK(static_cast<double>(plan.arena_bytes) <= 1.1 * static_cast<double>(plan.live_bytes));
  CHECK(plan.sum_bytes > 18 * plan.live_bytes / 10);
}

TEST_CASE("lifetimes include both ends") {
  const MemoryPlan touching = plan_memory(std::vector<Lifetime>{{kUnit, 0, 3}, {kUnit, 3, 5}});
  CHECK(touching.arena_bytes == 2 * kUnit);
  const MemoryPlan apart = plan_memory(std::vector<Lifetime>{{kUnit, 0, 3}, {kUnit, 4, 5}});
  CHECK(apart.arena_bytes == kUnit);
  CHECK(apart.offsets == std::vector<std::size_t>{0, 0});
}

TEST_CASE("sizes are rounded up to the alignment") {
  const MemoryPlan plan = plan_memory(std::vector<Lifetime>{{1, 0, 0}, {65, 0, 0}}, true, 64);
  CHECK(plan.arena_bytes == 3 * 64);
  CHECK(plan.offsets == std::vector<std::size_t>{128, 0});
}

TEST_CASE("empty plans and empty blocks need no memory") {
  CHECK(plan_memory({}).arena_bytes == 0);
  const MemoryPlan plan = plan_memory(std::vector<Lifetime>{{0, 0, 1}, {0, 0, 1}});
  CHECK(plan.arena_bytes == 0);
  CHECK(plan.offsets.size() == 2);
}
