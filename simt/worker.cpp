/// The scheduler of a block. Compiled without sanitizers, because it switches stacks. It notifies AddressSanitizer of
/// switches.

#include "simt/worker.h"
#include "core/error.h"
#include "core/random.h"
#include "simt/observer.h"
#include "simt/ptx/engine.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

// Defined by the AddressSanitizer runtime; null in programs without it.
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t bytes);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, std::size_t* bytes);
__attribute__((weak)) void __asan_unpoison_memory_region(const void volatile* data, std::size_t bytes);
}

namespace minception::simt {

constinit thread_local Thread* current = nullptr;
constinit Observer* observer = nullptr;
constinit PositionOfCode position_of_code = nullptr;

namespace {

constexpr std::size_t kMostStaticShared = 48 * 1024;
constexpr std::size_t kSharedGap = 64;  ///< between variables, to detect accesses out of bounds
/// AddressSanitizer adds red zones around local variables.
const std::size_t kStackBytes = __asan_unpoison_memory_region != nullptr ? 512 * 1024 : 128 * 1024;

/// Whether two positions are the same call. The same call usually has the same location object, so comparing its bytes
/// is enough.
bool same_place(const Position& a, const Position& b) {
  if (std::memcmp(&a, &b, sizeof(Position)) == 0) return true;
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

std::string in_words(const Index3& index) { return concat('(', index.x, ',', index.y, ',', index.z, ')'); }

}  // namespace

Worker::Worker() : shared_memory_(static_cast<std::byte*>(std::aligned_alloc(128, kSharedMemory)), &std::free) {
  shared_ = shared_memory_.get();
}

Worker::~Worker() = default;

std::string to_string(const Position& where) {
  std::string_view file = where.file_name();
  if (const auto slash = file.rfind("/kernels/"); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  return concat(file, ':', where.line(), ':', where.column());
}

// ---- fibers ---------------------------------------------------------------------------------------------------------

void Worker::switch_to(Seat& to) {
  Seat& from = *here_;
  here_ = &to;
  Context& save = &from == &main_ ? main_context_ : from.fiber->context;
  const bool to_main = &to == &main_;
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&from.fake_stack, to_main ? main_bottom_ : to.fiber->bottom(),
                                   to_main ? main_bytes_ : to.fiber->bytes());
  }
  switch_context(save, to_main ? main_context_ : to.fiber->context);
  if (__sanitizer_finish_switch_fiber != nullptr) __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
}

Worker::Seat& Worker::free_seat() {
  if (free_seats_.empty()) {
    auto seat = std::make_unique<Seat>();
    seat->fiber = std::make_unique<Fiber>(kStackBytes, (seats_.size() % 61) * 64);
    free_seats_.push_back(seat.get());
    seats_.push_back(std::move(seat));
  }
  Seat& seat = *free_seats_.back();
  free_seats_.pop_back();
  if (!seat.prepared) {
    if (__asan_unpoison_memory_region != nullptr) {
      __asan_unpoison_memory_region(seat.fiber->bottom(), seat.fiber->bytes());
    }
    seat.fiber->prepare(&Worker::fiber_main, &seat);
    seat.fake_stack = nullptr;
    seat.prepared = true;
  }
  return seat;
}

constinit thread_local Worker* worker_here = nullptr;

void Worker::fiber_main(void* argument) {
  Worker& worker = *worker_here;
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
  }
  worker.run_threads(*static_cast<Seat*>(argument));
}

/// Not inlined: a fiber may continue on another OS thread in the next launch, where an address of the thread-local
/// variable that the compiler kept in a register is that of the earlier OS thread.
[[gnu::noinline]] static void set_current(Thread* thread) { current = thread; }

/// Main loop of a fiber: runs threads one after another until one waits. That thread then keeps the stack until it is
/// done.
void Worker::run_threads(Seat& seat) {
  for (;;) {
    Thread* thread = seat.first;
    do {
      thread->fiber = &seat;
      thread->state = Thread::State::running;
      thread->passed_any = false;
      thread->groups = 0;
      set_current(thread);
      run_body();
      end_thread(*thread);
      thread = next();
    } while (thread != nullptr && thread->fiber == nullptr);  // start the next thread on the same stack
    free_seats_.push_back(&seat);
    set_current(thread);
    if (thread == nullptr) {
      switch_to(main_);
    } else {
      thread->state = Thread::State::running;
      switch_to(*static_cast<Seat*>(thread->fiber));
    }
  }
}

/// Switches from a waiting thread to the next one.
void Worker::go_on() {
  Thread* following = next();
  if (following->fiber == nullptr) {
    Seat& seat = free_seat();
    seat.first = following;
    switch_to(seat);
  } else {
    following->state = Thread::State::running;
    if (following == current) return;
    current = following;
    switch_to(*static_cast<Seat*>(following->fiber));
  }
}

void Worker::run_body() {
  try {
    return grid_->body(grid_->argument);
  } catch (const std::exception& exception) {
    stopping();
    thrown_ = exception.what();
  } catch (...) {
    stopping();
    thrown_ = "threw an object that is not a std::exception";
  }
  stop([&] { return std::move(thrown_); });
}

void Worker::end_thread(Thread& thread) {
  for (const PendingCopy& copy : thread.copies) stop_lost_copy(copy, copy.group != thread.groups);
  thread.state = Thread::State::done;
  thread.fiber = nullptr;
  ++done_;
}

void Worker::stop_lost_copy(const PendingCopy& copy, bool committed) {
  stop([&] {
    return concat("the cp.async at ", to_string(copy.where),
                  committed ? " was never waited for" : " was never committed");
  });
}

// ---- scheduling -----------------------------------------------------------------------------------------------------

/// Makes every thread ready again. Redraws a random order.
void Worker::new_round() {
  ++round_;
  turn_ = 0;
  for (Warp& warp : warps_) warp.ready = warp.present;
  if (grid_->settings.order != Order::random) return;
  const Random random{grid_->settings.seed, grid_->number << 20 ^ block_.index.x ^ block_.index.y << 10};
  for (std::size_t i = warp_order_.size(); i > 1; --i) {
    std::swap(warp_order_[i - 1], warp_order_[random.bits(round_ * 64 + i) % i]);
  }
  for (unsigned i = kWarp; i > 1; --i) {
    std::swap(lane_order_[i - 1], lane_order_[random.bits(round_ * 64 + 32 + i) % i]);
  }
}

unsigned Worker::next_lane(unsigned ready) const {
  switch (grid_->settings.order) {
    case Order::forward:
      return static_cast<unsigned>(std::countr_zero(ready));
    case Order::reverse:
      return kWarp - 1 - static_cast<unsigned>(std::countl_zero(ready));
    case Order::random:
      break;
  }
  return *std::find_if(std::begin(lane_order_), std::end(lane_order_),
                       [&](unsigned lane) { return ready >> lane & 1u; });
}

/// Returns the next thread to run, or null when all are done. Releases complete barriers and collectives.
Thread* Worker::next() {
  for (;;) {
    Warp& warp = warps_[warp_order_[turn_]];
    if (warp.ready != 0) {
      const unsigned lane = next_lane(warp.ready);
      warp.ready &= ~(1u << lane);
      return &threads_[warp.begin + lane];
    }
    if (warp.in_collective != 0) {
      if (!release_collectives(warp)) stop_divergent_warp(warp);
      continue;
    }
    if (++turn_ < warps_.size()) continue;
    if (done_ == threads_.size()) return nullptr;
    if (at_barrier_ < threads_.size()) stop_early_exit();
    at_barrier_ = 0;
    first_at_barrier_ = nullptr;
    ++barriers_;
    progress.store(progress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (observer != nullptr) observer->barrier_passed(block_);
    new_round();
  }
}

void Worker::barrier(const Position& where) {
  Thread& thread = *current;
  if (first_at_barrier_ == nullptr) {
    first_at_barrier_ = &thread;
  } else if (!same_place(first_at_barrier_->where, where)) {
    stop_divergent_barriers(where);
  }
  thread.where = where;
  thread.passed_any = true;
  thread.state = Thread::State::at_barrier;
  ++at_barrier_;
  go_on();
}

void Worker::collective(void (*function)(Lanes&), void* argument, unsigned mask, const Position& where) {
  Thread& thread = *current;
  if ((mask >> thread.lane & 1u) == 0) stop_bad_mask(mask, where);
  thread.where = where;
  thread.passed_any = true;
  thread.collective = function;
  thread.argument = argument;
  thread.mask = mask;
  thread.state = Thread::State::in_collective;
  warps_[thread.warp].in_collective |= 1u << thread.lane;
  go_on();
}

void Worker::stop_divergent_barriers(const Position& where) {
  stop([&] {
    return concat("divergent barriers: ", name_of(*first_at_barrier_), " waits at ",
                  to_string(first_at_barrier_->where), ", ", name_of(*current), " at ", to_string(where));
  });
}

void Worker::stop_bad_mask(unsigned mask, const Position& where) {
  stop([&] {
    return concat("the warp collective at ", to_string(where), " has the mask 0x", std::hex, mask, std::dec,
                  ", which leaves out the calling lane ", current->lane);
  });
}

void Worker::run_group(Warp& warp, Lanes& lanes) {
  if (observer != nullptr) observer->collective_begins(lanes);
  lanes.thread[std::countr_zero(lanes.mask)]->collective(lanes);
  ++collectives_;
  warp.in_collective &= ~lanes.mask;
  warp.ready |= lanes.mask;
}

/// Runs each collective of the warp whose lanes have all arrived. Returns false if there is none.
bool Worker::release_collectives(Warp& warp) {
  bool released = false;
  for (unsigned waiting = warp.in_collective; waiting != 0;) {
    const Thread& leader = threads_[warp.begin + static_cast<unsigned>(std::countr_zero(waiting))];
    waiting &= waiting - 1;
    Lanes lanes;
    lanes.mask = leader.mask & warp.present;
    bool complete = (lanes.mask & ~warp.in_collective) == 0;
    for (unsigned rest = lanes.mask; rest != 0 && complete; rest &= rest - 1) {
      const auto lane = static_cast<unsigned>(std::countr_zero(rest));
      Thread& thread = threads_[warp.begin + lane];
      complete = thread.mask == leader.mask && thread.collective == leader.collective &&
                 same_place(thread.where, leader.where);
      lanes.thread[lane] = &thread;
    }
    if (!complete) continue;
    waiting &= ~lanes.mask;
    run_group(warp, lanes);
    released = true;
  }
  return released;
}

std::string Worker::name_of(const Thread& thread) const { return concat("thread ", in_words(thread.index)); }

std::string Worker::last_position(const Thread& thread) const {
  switch (thread.state) {
    case Thread::State::at_barrier:
      return concat("waits at the barrier at ", to_string(thread.where));
    case Thread::State::in_collective:
      return concat("waits in the warp collective at ", to_string(thread.where), " with the mask 0x", std::hex,
                    thread.mask);
    case Thread::State::done:
      return thread.passed_any ? concat("has left the kernel; it passed ", to_string(thread.where), " last")
                               : std::string("has left the kernel before any barrier");
    default:
      return "runs";
  }
}

/// Reports a warp in which lanes wait for others that do not arrive.
void Worker::stop_divergent_warp(const Warp& warp) {
  const Thread& waiting = threads_[warp.begin + static_cast<unsigned>(std::countr_zero(warp.in_collective))];
  for (unsigned rest = waiting.mask & warp.present; rest != 0; rest &= rest - 1) {
    const Thread& other = threads_[warp.begin + static_cast<unsigned>(std::countr_zero(rest))];
    if (other.state != Thread::State::in_collective || other.mask != waiting.mask ||
        other.collective != waiting.collective || !same_place(other.where, waiting.where)) {
      stop([&] {
        return concat("divergent warp: ", name_of(waiting), ' ', last_position(waiting), ", but ", name_of(other), ' ',
                      last_position(other));
      });
    }
  }
  stop([&] { return concat("a warp makes no progress at ", to_string(waiting.where)); });
}

/// Reports a block in which threads wait at a barrier that others do not reach.
void Worker::stop_early_exit() {
  const auto gone = std::find_if(threads_.begin(), threads_.end(),
                                 [](const Thread& thread) { return thread.state == Thread::State::done; });
  stop([&] {
    return concat("early exit: ", name_of(*first_at_barrier_), ' ', last_position(*first_at_barrier_), ", but ",
                  name_of(*gone), ' ', last_position(*gone), " (", at_barrier_, " of ", threads_.size(),
                  " threads arrived)");
  });
}

// ---- shared memory --------------------------------------------------------------------------------------------------

void* Worker::shared_variable(const void* site, std::string_view name, std::size_t bytes, std::size_t alignment) {
  for (const SharedVariable& variable : variables_) {
    if (variable.site == site) return variable.data;
  }
  static_shared_ += bytes;
  if (static_shared_ > kMostStaticShared || static_shared_ + grid_->shared_bytes > kMostShared) {
    stop([&] {
      return concat("too much shared memory with the variable ", name, ": ", static_shared_, " bytes static (at most ",
                    kMostStaticShared, "), ", static_shared_ + grid_->shared_bytes, " with the dynamic ones (at most ",
                    kMostShared, ")");
    });
  }
  if (grid_->shared_bytes > grid_->shared_limit && static_shared_ + grid_->shared_bytes > kDefaultShared) {
    stop([&] {
      return concat("too much shared memory with the variable ", name, ": ", static_shared_, " bytes static and ",
                    grid_->shared_bytes, " dynamic are more than ", kDefaultShared,
                    " and need cudaFuncAttributeMaxDynamicSharedMemorySize");
    });
  }
  // An odd multiple of the alignment: an access that needs more is misaligned on the CPU, as it may be on a GPU.
  const std::size_t units = (shared_used_ + kSharedGap + alignment - 1) / alignment;
  std::byte* data = shared_ + (units | 1) * alignment;
  shared_used_ = static_cast<std::size_t>(data - shared_) + bytes;
  std::memset(data, 0xff, bytes);
  variables_.push_back({site, data});
  if (observer != nullptr) observer->shared_declared(data, bytes, name);
  return data;
}

// ---- blocks ---------------------------------------------------------------------------------------------------------

/// Sets up the threads and warps of a block with these extents. Blocks of one grid reuse them.
void Worker::shape_block(const Extent3& dim) {
  const auto count = static_cast<unsigned>(dim.count());
  if (threads_.size() == count && shape_.x == dim.x && shape_.y == dim.y && shape_.z == dim.z) return;
  shape_ = dim;
  threads_.resize(count);
  for (unsigned t = 0; t < count; ++t) {
    Thread& thread = threads_[t];
    thread.index = {t % dim.x, t / dim.x % dim.y, t / dim.x / dim.y};
    thread.block = &block_;
    thread.number = t;
    thread.lane = t % kWarp;
    thread.warp = t / kWarp;
  }
  warps_.assign((count + kWarp - 1) / kWarp, {});
  for (unsigned w = 0; w < warps_.size(); ++w) {
    const unsigned lanes = std::min(kWarp, count - w * kWarp);
    warps_[w].begin = w * kWarp;
    warps_[w].present = ~0u >> (kWarp - lanes);
  }
}

void Worker::begin_block(std::size_t number) {
  const Extent3& grid = grid_->grid;
  std::size_t place = number;
  if (grid_->settings.order == Order::reverse) place = grid.count() - 1 - number;
  if (grid_->settings.order == Order::random) {
    place = permuted(Random{grid_->settings.seed, grid_->number}, grid.count(), number);
  }
  block_.kernel = grid_->kernel;
  block_.grid = grid;
  block_.dim = grid_->block;
  block_.worker = this;
  block_.index = {static_cast<unsigned>(place % grid.x), static_cast<unsigned>(place / grid.x % grid.y),
                  static_cast<unsigned>(place / grid.x / grid.y)};

  shape_block(block_.dim);
  for (Warp& warp : warps_) warp.in_collective = 0;
  warp_order_.resize(warps_.size());
  std::iota(warp_order_.begin(), warp_order_.end(), 0u);
  std::iota(std::begin(lane_order_), std::end(lane_order_), 0u);
  if (grid_->settings.order == Order::reverse) {
    std::reverse(warp_order_.begin(), warp_order_.end());
    std::reverse(std::begin(lane_order_), std::end(lane_order_));
  }
  at_barrier_ = 0;
  first_at_barrier_ = nullptr;
  done_ = 0;
  round_ = 0;
  variables_.clear();
  static_shared_ = 0;
  shared_used_ = grid_->shared_bytes;
  const bool declares_shared = grid_->ptx == nullptr;  // the engine declares its own
  if (grid_->shared_bytes > 0 && declares_shared) std::memset(shared_, 0xff, grid_->shared_bytes);
  if (observer != nullptr) {
    observer->block_begins(block_, shared_, kSharedMemory);
    if (grid_->shared_bytes > 0 && declares_shared) observer->shared_declared(shared_, grid_->shared_bytes, "");
  }
  new_round();
}

void Worker::run_block() {
  Seat& seat = free_seat();
  seat.first = next();
  switch_to(seat);
}

namespace {
/// Ends a block of PTX, whose error the grid has.
struct BlockEnded {};
}  // namespace

void Worker::run_ptx_block() {
  current = threads_.data();
  try {
    engine_->run(block_, threads_, progress);
  } catch (const BlockEnded&) {
  } catch (const std::exception& error) {  // short of memory
    leave_with_error(concat("the kernel ", grid_->kernel, ": ", error.what()));
  }
  current = nullptr;
}

void Worker::run(Grid& grid) {
  grid_ = &grid;
  worker_here = this;
  os_thread = pthread_self();
  if (__sanitizer_start_switch_fiber != nullptr) {
    pthread_attr_t attributes;
    pthread_getattr_np(os_thread, &attributes);
    pthread_attr_getstack(&attributes, &main_bottom_, &main_bytes_);
    pthread_attr_destroy(&attributes);
  }
  barriers_ = collectives_ = mma = mma_flops = 0;
  if (grid.ptx != nullptr) {
    if (engine_ == nullptr) engine_ = std::make_unique<ptx::Engine>();
    engine_->begin(*grid.ptx, grid.settings, grid.number, shared_, grid.shared_bytes);
  }
  busy.store(true);
  const std::size_t blocks = grid.grid.count();
  for (;;) {
    const std::size_t block = grid.next_block.fetch_add(1, std::memory_order_relaxed);
    if (block >= blocks || grid.failed.load(std::memory_order_relaxed)) break;
    begin_block(block);
    if (grid.ptx != nullptr) {
      run_ptx_block();
    } else {
      run_block();
    }
    if (observer != nullptr && !grid.failed.load()) observer->block_ends(block_);
    progress.store(progress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  busy.store(false);
  if (grid.ptx != nullptr) {
    const ptx::Counts& counts = engine_->counts();
    grid.instructions += counts.instructions;
    barriers_ = counts.barriers;
    collectives_ = counts.collectives;
    mma = counts.mma;
    mma_flops = counts.mma_flops;
  }
  grid.barriers += barriers_;
  grid.collectives += collectives_;
  grid.mma += mma;
  grid.mma_flops += mma_flops;
}

/// Abandons the block. Objects on the stacks of its threads are not destroyed.
void Worker::leave_with_error(std::string message) {
  grid_->fail(std::move(message));
  current = nullptr;
  free_seats_.clear();
  for (const auto& seat : seats_) {
    seat->prepared = false;
    free_seats_.push_back(seat.get());
  }
  for (Thread& thread : threads_) {
    thread.fiber = nullptr;
    thread.copies.clear();
  }
}

/// Frees `message`, because objects left on this stack are not destroyed.
void Worker::stop_with(std::string message, bool names_thread) {
  {
    const std::string thread = names_thread ? concat(", thread ", in_words(current->index)) : std::string();
    std::string line = concat("the kernel ", block_.kernel, ", block ", in_words(block_.index), thread, ": ", message);
    std::string().swap(message);
    leave_with_error(std::move(line));
  }
  if (grid_->ptx != nullptr) throw BlockEnded{};
  switch_to(main_);
  std::abort();  // unreachable
}

Stack Worker::stack_of(const Thread& thread) {
  if (thread.fiber == nullptr) return {};  // executed from PTX
  const Fiber& fiber = *static_cast<const Seat*>(thread.fiber)->fiber;
  return {fiber.bottom(), fiber.bytes()};
}

void Worker::interrupt() {
  if (grid_ != nullptr && grid_->ptx != nullptr) return engine_->interrupt();
  if (current == nullptr || grid_ == nullptr) return;
  if (observer != nullptr && observer->postpones_interrupt()) return;
  stop([&] {
    return concat("made no progress for ", grid_->settings.watchdog_seconds, " s: does a thread wait for another one?");
  });
}

}  // namespace minception::simt
