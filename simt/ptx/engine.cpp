#include "simt/ptx/engine.h"
#include "core/random.h"
#include "simt/worker.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace minception::simt::ptx {
namespace {

/// Warp instructions between two looks at the interrupt flag.
constexpr std::uint64_t kCheckInterval = 1u << 20;

constinit thread_local const Program* running_program = nullptr;

}  // namespace

void stop_at(const Warp& warp, const Instruction* at, unsigned lane, std::string_view what) {
  current = &warp.thread(lane);
  const Program& program = *warp.block->program;
  stop([&] {
    return concat(what, ", at ", position_of(program, *at), ": ",
                  program.module->line_text(program.statement(*at).line));
  });
}

void Engine::begin(const Launch& launch, const Settings& settings, std::uint64_t number, std::byte* shared,
                   std::size_t dynamic_shared) {
  launch_ = &launch;
  program_ = launch.program;
  settings_ = settings;
  number_ = number;
  state_ = {};
  state_.program = program_;
  state_.parameters = launch.parameters.data();
  state_.shared = shared;
  state_.shared_bytes = program_->shared_bytes + dynamic_shared;
  state_.states.resize(observer == nullptr ? state_.shared_bytes : 0);
  state_.device_memory = &launch.device_memory;
  state_.eager_copies = settings.copies == CopyLanding::eager;
  shaped_ = false;
  running_program = program_;
  position_of_code = [](const void* code) {
    return position_of(*running_program, *static_cast<const Instruction*>(code));
  };
}

/// Sets up the warps and what stays the same in all blocks of the launch.
void Engine::shape(const Extent3& block, const Extent3& grid) {
  const std::size_t threads = block.count();
  warps_.resize((threads + kLanes - 1) / kLanes);
  const std::size_t bytes = program_->register_bytes * warps_.size();
  if (bytes > registers_bytes_) {
    registers_.reset(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
    require(registers_ != nullptr, "no memory for ", bytes, " bytes of registers of the kernel ", program_->name);
    registers_bytes_ = bytes;
  }
  std::memset(registers_.get(), 0xff, bytes);
  for (unsigned w = 0; w < warps_.size(); ++w) {
    Warp& warp = warps_[w];
    warp.number = w;
    warp.block = &state_;
    warp.registers = registers_.get() + w * program_->register_bytes;
    warp.code = program_->code.data();
    warp.end = warp.code + program_->code.size();
    const std::size_t lanes = std::min<std::size_t>(kLanes, threads - std::size_t{w} * kLanes);
    warp.present = ~0u >> (kLanes - lanes);
    warp.local.resize(program_->local_bytes * kLanes);
    for (const auto& [offset, value] : program_->words) std::fill_n(row<std::uint32_t>(warp, offset), kLanes, value);
    for (const auto& [offset, value] : program_->double_words) {
      std::fill_n(row<std::uint64_t>(warp, offset), kLanes, value);
    }
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const unsigned thread = w * kLanes + lane;
      set(warp, Special::tid_x, lane, thread % block.x);
      set(warp, Special::tid_y, lane, thread / block.x % block.y);
      set(warp, Special::tid_z, lane, thread / block.x / block.y);
      set(warp, Special::laneid, lane, lane);
      set(warp, Special::ntid_x, lane, block.x);
      set(warp, Special::ntid_y, lane, block.y);
      set(warp, Special::ntid_z, lane, block.z);
      set(warp, Special::nctaid_x, lane, grid.x);
      set(warp, Special::nctaid_y, lane, grid.y);
      set(warp, Special::nctaid_z, lane, grid.z);
    }
  }
  shaped_ = true;
}

void Engine::set(Warp& warp, Special which, unsigned lane, std::uint32_t value) {
  const std::uint32_t offset = program_->special[static_cast<std::size_t>(which)];
  if (offset != 0) row<std::uint32_t>(warp, offset)[lane] = value;
}

void Engine::reset(const Block& block) {
  std::memset(state_.shared, 0xff, state_.shared_bytes);
  if (!state_.states.empty()) std::memset(state_.states.data(), gap, state_.states.size());
  for (const Variable& variable : program_->shared) {
    const std::uint64_t bytes = variable.dynamic ? state_.shared_bytes - variable.offset : variable.bytes;
    if (bytes == 0) continue;
    if (observer != nullptr) {
      observer->shared_declared(state_.shared + variable.offset, bytes,
                                variable.dynamic ? std::string_view() : variable.name);
    } else {
      std::memset(state_.states.data() + variable.offset, unwritten, bytes);
    }
  }
  for (Warp& warp : warps_) {
    warp.live = warp.running = warp.present;
    warp.waiting = warp.at_barrier = 0;
    warp.copies.clear();
    std::fill(std::begin(warp.next), std::end(warp.next), warp.code);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      set(warp, Special::ctaid_x, lane, block.index.x);
      set(warp, Special::ctaid_y, lane, block.index.y);
      set(warp, Special::ctaid_z, lane, block.index.z);
    }
  }
  stream_ = number_ << 20 ^ block.index.x ^ block.index.y << 10 ^ std::uint64_t{block.index.z} << 40;
  draws_ = 0;
}

void Engine::run(const Block& block, std::vector<Thread>& threads, std::atomic<std::uint64_t>& progress) {
  if (!shaped_) shape(block.dim, block.grid);
  state_.threads = threads.data();
  for (Thread& thread : threads) thread.groups = 0;
  reset(block);
  steps_ = 0;
  interrupted_ = false;
  traced_warp_ = ~std::size_t{0};
  if (launch_->trace != nullptr) {
    const std::size_t number =
        (block.index.z * std::size_t{block.grid.y} + block.index.y) * block.grid.x + block.index.x;
    if (number == launch_->trace->block) traced_warp_ = launch_->trace->thread / kLanes;
  }
  do {
    for (const std::size_t w : warp_order()) run_warp(warps_[w]);
  } while (pass_barrier(block, progress));
}

std::size_t Engine::draw(std::size_t count) { return Random{settings_.seed, stream_}.bits(draws_++) % count; }

std::vector<std::size_t> Engine::warp_order() {
  std::vector<std::size_t> order(warps_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (settings_.order == Order::reverse) std::reverse(order.begin(), order.end());
  if (settings_.order == Order::random) {
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[draw(i)]);
  }
  return order;
}

/// Chooses the lanes that run next and returns their program counter.
const Instruction* Engine::choose(Warp& warp) {
  if (settings_.order == Order::random) {
    std::uint32_t rest = warp.running;
    for (std::size_t skip = draw(static_cast<std::size_t>(std::popcount(rest))); skip > 0; --skip) rest &= rest - 1;
    const unsigned lane = first_lane(rest);
    warp.mask = 1u << lane;
    warp.full = warp.mask == warp.live;
    return warp.next[lane];
  }
  const Instruction* first = warp.end;
  std::uint32_t mask = 0;
  for (std::uint32_t rest = warp.running; rest != 0; rest &= rest - 1) {
    const unsigned lane = first_lane(rest);
    if (warp.next[lane] < first) {
      first = warp.next[lane];
      mask = 0;
    }
    if (warp.next[lane] == first) mask |= 1u << lane;
  }
  warp.mask = mask;
  warp.full = mask == warp.live;
  return first;
}

void Engine::run_warp(Warp& warp) {
  const bool traced = warp.number == traced_warp_;
  while (warp.running != 0) {
    const Instruction* at = choose(warp);
    const std::uint32_t mask = warp.mask;
    // Runs until the lanes diverge or wait, or reach the least program counter of the other running lanes.
    const Instruction* limit = warp.end;
    if (settings_.order != Order::random) {
      for (std::uint32_t rest = warp.running & ~mask; rest != 0; rest &= rest - 1) {
        limit = std::min(limit, warp.next[first_lane(rest)]);
      }
    }
    const std::uint64_t before = steps_;
    do {
      at = traced ? run_traced(warp, at, launch_->trace->thread % kLanes) : at->run(warp, at);
      // Counted over all turns of the block: diverging lanes take short ones.
      if (++steps_ % kCheckInterval == 0 && interrupted_) {
        stop_at(warp, at < warp.end ? at : warp.end - 1, first_lane(warp.mask),
                concat("made no progress for ", settings_.watchdog_seconds, " s: does a thread wait for another one?"));
      }
    } while (at < limit);
    state_.counts.instructions += (steps_ - before) * static_cast<std::uint64_t>(std::popcount(mask));
    if (at == warp.end) continue;  // the handler has set the program counters
    for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) warp.next[first_lane(rest)] = at;
  }
  if (warp.waiting != 0) stop_divergent(warp);
}

/// Reports lanes that wait for others which have left or wait elsewhere.
void Engine::stop_divergent(const Warp& warp) {
  const unsigned lane = first_lane(warp.waiting);
  for (unsigned other = 0; other < kLanes; ++other) {
    if ((warp.present >> other & 1u) == 0 ||
        ((warp.waiting >> other & 1u) != 0 && warp.next[other] == warp.next[lane])) {
      continue;
    }
    const bool left = (warp.live >> other & 1u) == 0;
    stop_at(warp, warp.next[lane], lane,
            concat("divergent warp: lane ", other,
                   left ? std::string(" has left the kernel")
                        : concat(" waits at ", position_of(*program_, *warp.next[other]))));
  }
  stop_at(warp, warp.next[lane], lane, "divergent warp: lanes wait with different masks");
}

/// Releases the barrier at which all threads wait. False if all threads have left.
bool Engine::pass_barrier(const Block& block, std::atomic<std::uint64_t>& progress) {
  const Warp* first = nullptr;
  bool left = false;
  for (const Warp& warp : warps_) {
    left = left || warp.live != warp.present;
    if (warp.at_barrier != 0 && first == nullptr) first = &warp;
  }
  if (first == nullptr) return false;
  const unsigned lane = first_lane(first->at_barrier);
  const Instruction* const at = first->next[lane];
  if (left) stop_at(*first, at, lane, "early exit: waits at a barrier, but other threads have left the kernel");
  for (Warp& warp : warps_) {
    for (std::uint32_t rest = warp.at_barrier; rest != 0; rest &= rest - 1) {
      const unsigned other = first_lane(rest);
      if (warp.next[other] != at) {
        stop_at(warp, warp.next[other], other,
                concat("divergent barriers: another thread waits at ", position_of(*program_, *at)));
      }
      warp.next[other] = at + 1;
    }
    warp.running = warp.at_barrier;
    warp.at_barrier = 0;
  }
  ++state_.counts.barriers;
  progress.store(progress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  interrupted_ = false;
  if (observer != nullptr) observer->barrier_passed(block);
  return true;
}

}  // namespace minception::simt::ptx
