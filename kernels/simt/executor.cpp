/// The scheduler. Compiled without sanitizers: it switches stacks under their feet, and tells AddressSanitizer so.

#include <minception/core/error.h>
#include <minception/core/random.h>
#include <minception/kernels/simt/executor.h>
#include <minception/kernels/simt/fiber.h>
#include <minception/kernels/simt/observer.h>

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

// Of AddressSanitizer's runtime, where the program is linked with it.
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t bytes);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, std::size_t* bytes);
__attribute__((weak)) void __asan_unpoison_memory_region(const void volatile* data, std::size_t bytes);
}

namespace minception::simt {

constinit thread_local Thread* current = nullptr;
constinit Observer* observer = nullptr;

namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kMostThreads = 1024;
constexpr std::size_t kMostStaticShared = 48 * 1024;
/// What every GPU from compute capability 8.0 on grants a block; some grant more.
constexpr std::size_t kMostShared = 99 * 1024;
constexpr std::size_t kSharedGap = 64;  ///< between variables, so that stepping over an end is seen
constexpr std::size_t kSharedMemory = 256 * 1024;
/// AddressSanitizer puts zones around every local variable.
const std::size_t kStackBytes = __asan_unpoison_memory_region != nullptr ? 512 * 1024 : 128 * 1024;

/// A grid in the works.
struct Grid {
  std::string_view kernel;
  Extent3 grid;
  Extent3 block;
  std::size_t shared_bytes = 0;
  void (*body)(const void*) = nullptr;
  const void* argument = nullptr;
  std::size_t argument_bytes = 0;
  Settings settings;
  std::uint64_t number = 0;  ///< of this launch since reset_counters

  std::atomic<std::size_t> next_block = 0;
  std::atomic<bool> failed = false;
  std::atomic<std::uint64_t> barriers = 0, collectives = 0, mma = 0, mma_flops = 0;
  std::mutex mutex;
  std::string error;  ///< the first one

  void fail(std::string message) {
    const std::lock_guard lock(mutex);
    if (!failed.exchange(true)) error = std::move(message);
  }
};

/// Whether two threads are at one and the same call. A call's location is one object, as a rule: a look at the pointers in
/// there settles it.
bool same_place(const Position& a, const Position& b) {
  if (std::memcmp(&a, &b, sizeof(Position)) == 0) return true;
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

std::string in_words(const Index3& index) { return concat('(', index.x, ',', index.y, ',', index.z, ')'); }

}  // namespace

/// What one OS thread runs blocks with.
class Worker {
 public:
  Worker();

  /// Takes blocks until none is left.
  void run(Grid& grid);
  /// Ends the block that runs here now. Called from a signal handler on this OS thread.
  void interrupt();

  // On behalf of the thread that runs now.
  void barrier(const Position& where);
  void collective(void (*function)(Lanes&), void* argument, unsigned mask, const Position& where);
  void* shared_variable(const void* site, std::string_view name, std::size_t bytes, std::size_t alignment);
  void* dynamic_shared() { return shared_; }
  static Stack stack_of(const Thread& thread);
  [[noreturn]] void stop_with(std::string message, bool names_thread);

  std::atomic<std::uint64_t> progress = 0;
  std::atomic<bool> busy = false;
  pthread_t os_thread{};
  std::uint64_t mma = 0, mma_flops = 0;

 private:
  /// The masks have a bit per lane: a scheduler that looked at every thread would spend its time on cache misses.
  struct Warp {
    unsigned begin = 0;    ///< number of its first thread
    unsigned present = 0;  ///< lanes that it has
    unsigned ready = 0;
    unsigned in_collective = 0;
  };
  struct SharedVariable {
    const void* site;
    void* data;
  };
  /// A fiber, and the thread that it shall begin with when it is switched to next.
  struct Seat {
    std::unique_ptr<Fiber> fiber;
    Thread* first = nullptr;
    void* fake_stack = nullptr;
    bool prepared = false;
  };

  void begin_block(std::size_t number);
  void run_block();
  void shape_block(const Extent3& dim);
  void new_round();
  Thread* next();
  unsigned next_lane(unsigned ready) const;
  bool release_collectives(Warp& warp);
  void run_group(Warp& warp, Lanes& lanes);
  void go_on();
  void switch_to(Seat& to);
  void run_threads(Seat& seat);
  static void fiber_main(void* seat);
  void run_body();
  void end_thread(Thread& thread);
  Seat& free_seat();
  std::string name_of(const Thread& thread) const;
  std::string last_position(const Thread& thread) const;
  void leave_with_error(std::string message);

  // Kept out of the functions that find these: what they would put on every stack there costs cache lines.
  [[noreturn, gnu::cold, gnu::noinline]] void stop_divergent_barriers(const Position& where);
  [[noreturn, gnu::cold, gnu::noinline]] void stop_bad_mask(unsigned mask, const Position& where);
  [[noreturn, gnu::cold, gnu::noinline]] void stop_divergent_warp(const Warp& warp);
  [[noreturn, gnu::cold, gnu::noinline]] void stop_early_exit();
  [[noreturn, gnu::cold, gnu::noinline]] void stop_lost_copy(const PendingCopy& copy, bool committed);

  Grid* grid_ = nullptr;
  Block block_;
  Extent3 shape_;  ///< of the block that threads_ and warps_ are laid out for
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned> warp_order_;  ///< warps in the order of their turns
  unsigned lane_order_[kWarp] = {};
  unsigned turn_ = 0;  ///< index into warp_order_
  unsigned at_barrier_ = 0;
  const Thread* first_at_barrier_ = nullptr;
  unsigned done_ = 0;
  std::uint64_t round_ = 0;

  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<Seat*> free_seats_;
  Seat main_;            ///< the OS thread's own stack
  Seat* here_ = &main_;  ///< where this runs
  void* main_bottom_ = nullptr;
  std::size_t main_bytes_ = 0;
  Context main_context_ = nullptr;

  std::unique_ptr<std::byte, decltype(&std::free)> shared_memory_;
  std::byte* shared_ = nullptr;
  std::size_t shared_used_ = 0;
  std::size_t static_shared_ = 0;
  std::vector<SharedVariable> variables_;

  std::string thrown_;  ///< by a kernel
  std::uint64_t barriers_ = 0, collectives_ = 0;
};

Worker::Worker() : shared_memory_(static_cast<std::byte*>(std::aligned_alloc(128, kSharedMemory)), &std::free) {
  shared_ = shared_memory_.get();
}

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

namespace {
constinit thread_local Worker* worker_here = nullptr;
}

void Worker::fiber_main(void* argument) {
  Worker& worker = *worker_here;
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
  }
  worker.run_threads(*static_cast<Seat*>(argument));
}

/// The life of a fiber: runs threads one after the other as long as none of them waits; then its stack belongs to the
/// waiting thread until that is done.
void Worker::run_threads(Seat& seat) {
  for (;;) {
    Thread* thread = seat.first;
    do {
      thread->fiber = &seat;
      thread->state = Thread::State::running;
      thread->passed_any = false;
      thread->groups = 0;
      current = thread;
      run_body();
      end_thread(*thread);
      thread = next();
    } while (thread != nullptr && thread->fiber == nullptr);  // the next one, on this very stack
    free_seats_.push_back(&seat);
    current = thread;
    if (thread == nullptr) {
      switch_to(main_);
    } else {
      thread->state = Thread::State::running;
      switch_to(*static_cast<Seat*>(thread->fiber));
    }
  }
}

/// Leaves a thread that waits.
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
    thrown_ = "threw something that is no std::exception";
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

// ---- whose turn it is -----------------------------------------------------------------------------------------------

/// Every thread gets its turn again, in an order drawn anew if it is random.
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

/// The thread that runs next, or null when all are done. Releases barriers and collectives that are complete.
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

/// Lets every collective of the warp happen whose lanes are all there. False if there is none.
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

/// A warp in which some lanes wait for others that will not come.
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

/// A block in which some threads wait at a barrier that others never reach.
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
  alignment = std::max<std::size_t>(alignment, 16);
  std::byte* data = shared_ + (shared_used_ + kSharedGap + alignment - 1) / alignment * alignment;
  shared_used_ = static_cast<std::size_t>(data - shared_) + bytes;
  std::memset(data, 0xff, bytes);
  variables_.push_back({site, data});
  if (observer != nullptr) observer->shared_declared(data, bytes, name);
  return data;
}

// ---- blocks ---------------------------------------------------------------------------------------------------------

/// The threads and warps of a block with these extents. Blocks of one grid share them.
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
  if (grid_->shared_bytes > 0) std::memset(shared_, 0xff, grid_->shared_bytes);
  if (observer != nullptr) {
    observer->block_begins(block_, shared_, kSharedMemory);
    if (grid_->shared_bytes > 0) observer->shared_declared(shared_, grid_->shared_bytes, "");
  }
  new_round();
}

void Worker::run_block() {
  Seat& seat = free_seat();
  seat.first = next();
  switch_to(seat);
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
  busy.store(true);
  const std::size_t blocks = grid.grid.count();
  for (;;) {
    const std::size_t block = grid.next_block.fetch_add(1, std::memory_order_relaxed);
    if (block >= blocks || grid.failed.load(std::memory_order_relaxed)) break;
    begin_block(block);
    run_block();
    if (observer != nullptr && !grid.failed.load()) observer->block_ends(block_);
    progress.store(progress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  busy.store(false);
  grid.barriers += barriers_;
  grid.collectives += collectives_;
  grid.mma += mma;
  grid.mma_flops += mma_flops;
}

/// Leaves the block for good; what its threads have on their stacks is forgotten.
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

/// `message` is emptied: nobody will destroy what is left on this stack.
void Worker::stop_with(std::string message, bool names_thread) {
  {
    const std::string thread = names_thread ? concat(", thread ", in_words(current->index)) : std::string();
    std::string line = concat("the kernel ", block_.kernel, ", block ", in_words(block_.index), thread, ": ", message);
    std::string().swap(message);
    leave_with_error(std::move(line));
  }
  switch_to(main_);
  std::abort();  // nothing switches back
}

Stack Worker::stack_of(const Thread& thread) {
  const Fiber& fiber = *static_cast<const Seat*>(thread.fiber)->fiber;
  return {fiber.bottom(), fiber.bytes()};
}

void Worker::interrupt() {
  if (current == nullptr || grid_ == nullptr) return;
  if (observer != nullptr && observer->postpones_interrupt()) return;
  stop([&] {
    return concat("made no progress for ", grid_->settings.watchdog_seconds, " s: does a thread wait for another one?");
  });
}

// ---- the emulated device --------------------------------------------------------------------------------------------

namespace {

constexpr int kInterrupt = SIGURG;  // ignored by default, and otherwise used by nobody

/// The OS threads, and the counts of every kernel.
class Device {
 public:
  ~Device() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : os_threads_) thread.join();
  }

  void execute(Grid& grid);
  std::vector<KernelCounters> counters() {
    const std::lock_guard lock(launching_);
    return counters_;
  }
  void reset_counters() {
    const std::lock_guard lock(launching_);
    counters_.clear();
    launches_ = 0;
  }

 private:
  void help(std::size_t place);
  void watch();
  void start(std::size_t helpers);
  void count(const Grid& grid, double seconds);

  std::mutex launching_;  // one grid at a time
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<std::unique_ptr<Worker>> workers_;  // the first one is the launching thread's
  std::vector<std::thread> os_threads_;
  Grid* grid_ = nullptr;
  std::uint64_t generation_ = 0;
  std::size_t wanted_ = 0;  ///< helpers that may join
  std::size_t active_ = 0;
  bool ending_ = false;
  std::uint64_t launches_ = 0;
  std::vector<KernelCounters> counters_;
  bool watching_ = false;
};

Device& device() {
  static Device the_device;
  return the_device;
}

void on_interrupt(int) {
  if (worker_here != nullptr) worker_here->interrupt();
}

void Device::help(std::size_t place) {
  std::uint64_t seen = 0;
  for (;;) {
    Grid* grid = nullptr;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || (generation_ != seen && grid_ != nullptr && place < wanted_); });
      if (ending_) return;
      seen = generation_;
      grid = grid_;
      ++active_;
    }
    workers_[place + 1]->run(*grid);
    {
      const std::lock_guard lock(mutex_);
      --active_;
    }
    idle_.notify_all();
  }
}

/// Looks several times a second whether every busy worker gets on.
void Device::watch() {
  struct Seen {
    std::uint64_t progress = 0;
    std::chrono::steady_clock::time_point since;
  };
  std::vector<Seen> seen;
  std::unique_lock lock(mutex_);
  while (!ending_) {
    wake_.wait_for(lock, std::chrono::milliseconds(100), [&] { return ending_; });
    const double limit = settings().watchdog_seconds;
    seen.resize(workers_.size(), {0, std::chrono::steady_clock::now()});
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const std::uint64_t progress = workers_[i]->progress.load();
      const auto now = std::chrono::steady_clock::now();
      if (!workers_[i]->busy.load() || progress != seen[i].progress) {
        seen[i] = {progress, now};
      } else if (limit > 0 && std::chrono::duration<double>(now - seen[i].since).count() > limit) {
        pthread_kill(workers_[i]->os_thread, kInterrupt);
        seen[i].since = now;
      }
    }
  }
}

void Device::start(std::size_t helpers) {
  if (workers_.empty()) workers_.push_back(std::make_unique<Worker>());
  if (!watching_) {
    struct sigaction action {};
    action.sa_handler = &on_interrupt;
    action.sa_flags = SA_NODEFER | SA_RESTART;  // the handler may never return
    sigaction(kInterrupt, &action, nullptr);
    os_threads_.emplace_back([this] { watch(); });
    watching_ = true;
  }
  const std::lock_guard lock(mutex_);
  while (workers_.size() < helpers + 1) {
    const std::size_t place = workers_.size() - 1;
    workers_.push_back(std::make_unique<Worker>());
    os_threads_.emplace_back([this, place] { help(place); });
  }
}

void Device::execute(Grid& grid) {
  const std::lock_guard launching(launching_);
  const auto begin = std::chrono::steady_clock::now();
  grid.settings = settings();
  grid.number = launches_++;
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::size_t threads = static_cast<std::size_t>(grid.settings.os_threads > 0 ? grid.settings.os_threads : cores);
  if (observer != nullptr) threads = 1;  // reports must not depend on the moment
  threads = std::min(threads, grid.grid.count());
  if (grid.grid.count() * grid.block.count() < 4096) threads = 1;  // waking somebody up would take longer
  start(threads - 1);
  if (observer != nullptr) observer->launch_begins(grid.argument, grid.argument_bytes);
  if (threads > 1) {
    {
      const std::lock_guard lock(mutex_);
      grid_ = &grid;
      ++generation_;
      wanted_ = threads - 1;
    }
    wake_.notify_all();
  }
  workers_[0]->run(grid);
  if (threads > 1) {
    std::unique_lock lock(mutex_);
    grid_ = nullptr;
    idle_.wait(lock, [&] { return active_ == 0; });
  }
  count(grid, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  if (grid.failed) throw Error(grid.error);
}

void Device::count(const Grid& grid, double seconds) {
  auto found = std::find_if(counters_.begin(), counters_.end(),
                            [&](const KernelCounters& counters) { return counters.kernel == grid.kernel; });
  if (found == counters_.end()) {
    counters_.push_back({std::string(grid.kernel)});
    found = counters_.end() - 1;
  }
  ++found->launches;
  found->blocks += grid.grid.count();
  found->threads += grid.grid.count() * grid.block.count();
  found->barriers += grid.barriers;
  found->collectives += grid.collectives;
  found->mma += grid.mma;
  found->mma_flops += grid.mma_flops;
  found->seconds += seconds;
  if (observer != nullptr) observer->launch_ends(*found);
}

Settings from_environment() {
  Settings result;
  const char* text = std::getenv("MINCEPTION_SIMT");
  if (text == nullptr) return result;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::string_view name = item.substr(0, item.find('='));
    const std::string value(item.substr(std::min(item.size(), name.size() + 1)));
    const auto number = [&] {
      char* end = nullptr;
      const double parsed = std::strtod(value.c_str(), &end);
      require(!value.empty() && *end == '\0' && parsed >= 0, "MINCEPTION_SIMT: ", name, " must be a number, not '",
              value, "'");
      return parsed;
    };
    if (name == "order" && (value == "forward" || value == "reverse" || value == "random")) {
      result.order = value == "forward" ? Order::forward : value == "reverse" ? Order::reverse : Order::random;
    } else if (name == "copies" && (value == "lazy" || value == "eager")) {
      result.copies = value == "lazy" ? CopyLanding::lazy : CopyLanding::eager;
    } else if (name == "check" && (value == "on" || value == "off")) {
      result.check = value == "on";
    } else if (name == "seed") {
      result.seed = static_cast<std::uint64_t>(number());
    } else if (name == "threads") {
      result.os_threads = static_cast<int>(number());
    } else if (name == "watchdog") {
      result.watchdog_seconds = number();
    } else if (name == "memory") {
      result.device_memory = static_cast<std::size_t>(number());
    } else {
      fail("MINCEPTION_SIMT: '", item,
           "' is none of order=forward|reverse|random, seed=N, copies=lazy|eager, check=on|off, "
           "threads=N, watchdog=SECONDS, memory=BYTES");
    }
  }
  return result;
}

}  // namespace

Settings& settings() {
  static Settings the_settings = from_environment();
  return the_settings;
}

std::vector<KernelCounters> counters() { return device().counters(); }
void reset_counters() { device().reset_counters(); }
bool checker_built() { return observer != nullptr; }

void execute(std::string_view kernel, Extent3 grid, Extent3 block, std::size_t shared_bytes, void (*body)(const void*),
             const void* argument, std::size_t argument_bytes) {
  require(current == nullptr, "the kernel ", kernel, " cannot be launched from a kernel");
  require(block.count() >= 1 && block.count() <= kMostThreads && block.z <= 64, "the kernel ", kernel,
          " asks for blocks of ", block.x, " x ", block.y, " x ", block.z, " threads; at most ", kMostThreads,
          " are possible");
  require(grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535, "the kernel ", kernel, " asks for a grid of ",
          grid.x, " x ", grid.y, " x ", grid.z, " blocks; at most 2147483647 x 65535 x 65535 are possible");
  require(shared_bytes <= kMostShared, "the kernel ", kernel, " asks for ", shared_bytes,
          " bytes of shared memory; every GPU grants ", kMostShared);
  Grid work;
  work.kernel = kernel;
  work.grid = grid;
  work.block = block;
  work.shared_bytes = shared_bytes;
  work.body = body;
  work.argument = argument;
  work.argument_bytes = argument_bytes;
  device().execute(work);
}

void barrier(const Position& where) { current->block->worker->barrier(where); }
void collective(void (*run)(Lanes&), void* argument, unsigned mask, const Position& where) {
  current->block->worker->collective(run, argument, mask, where);
}
void* shared_variable(const void* site, std::string_view name, std::size_t bytes, std::size_t alignment) {
  return current->block->worker->shared_variable(site, name, bytes, alignment);
}
void* dynamic_shared() { return current->block->worker->dynamic_shared(); }
void interrupt_block() { current->block->worker->interrupt(); }
void stopping() {
  if (observer != nullptr) observer->stopping();
}
void stop_with(std::string message, bool names_thread) {
  current->block->worker->stop_with(std::move(message), names_thread);
}
Stack stack_of(const Thread& thread) { return Worker::stack_of(thread); }

void count_mma(unsigned instructions, unsigned flops_each) {
  Worker& worker = *current->block->worker;
  worker.mma += instructions;
  worker.mma_flops += std::uint64_t{instructions} * flops_each;
}

}  // namespace minception::simt
