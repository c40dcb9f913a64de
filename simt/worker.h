#pragma once
/// The part of the emulated GPU on one OS thread: runs blocks one after another and schedules their threads.

#include "simt/executor.h"
#include "simt/fiber.h"
#include "simt/observer.h"

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt {

inline constexpr unsigned kWarp = 32;
inline constexpr unsigned kMostThreads = 1024;
/// Bytes per block that every GPU of compute capability 8.0 or higher supports; some support more.
inline constexpr std::size_t kMostShared = 99 * 1024;

/// Bytes per block, static and dynamic together, for which no attribute is needed.
inline constexpr std::size_t kDefaultShared = 48 * 1024;

/// Host memory for the shared memory of a block, with gaps between its variables.
inline constexpr std::size_t kSharedMemory = 256 * 1024;

namespace ptx {
struct Launch;
class Engine;
}  // namespace ptx

/// A running grid.
struct Grid {
  std::string_view kernel;
  Extent3 grid;
  Extent3 block;
  std::size_t shared_bytes = 0;  ///< dynamic
  std::size_t shared_limit = 0;  ///< attribute of the kernel
  void (*body)(const void*) = nullptr;
  const void* argument = nullptr;
  std::size_t argument_bytes = 0;
  const ptx::Launch* ptx = nullptr;  ///< instead of `body`
  Settings settings;
  std::uint64_t number = 0;  ///< of the launch, since reset_counters

  std::atomic<std::size_t> next_block = 0;
  std::atomic<bool> failed = false;
  std::atomic<std::uint64_t> barriers = 0, collectives = 0, mma = 0, mma_flops = 0, instructions = 0;
  std::mutex mutex;
  std::string error;  ///< the first error

  void fail(std::string message) {
    const std::lock_guard lock(mutex);
    if (!failed.exchange(true)) error = std::move(message);
  }
};

/// Runs blocks on one OS thread.
class Worker {
 public:
  Worker();
  ~Worker();

  /// Runs blocks until none is left or one fails.
  void run(Grid& grid);
  /// Ends the running block. Called from a signal handler on this OS thread or by `interrupt_block`.
  void interrupt();

  // Called by the running thread.
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
  /// Masks have one bit per lane, because reading every Thread in the scheduler would cause cache misses.
  struct Warp {
    unsigned begin = 0;    ///< number of its first thread
    unsigned present = 0;  ///< existing lanes
    unsigned ready = 0;
    unsigned in_collective = 0;
  };
  struct SharedVariable {
    const void* site;
    void* data;
  };
  /// A fiber, and the thread with which it starts at the next switch to it.
  struct Seat {
    std::unique_ptr<Fiber> fiber;
    Thread* first = nullptr;
    void* fake_stack = nullptr;
    bool prepared = false;
  };

  void begin_block(std::size_t number);
  void run_block();
  void run_ptx_block();
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

  // Not inlined into their callers: larger stack frames of all threads would cost cache lines.
  [[noreturn, gnu::cold, gnu::noinline]] void stop_divergent_barriers(const Position& where);
  [[noreturn, gnu::cold, gnu::noinline]] void stop_bad_mask(unsigned mask, const Position& where);
  [[noreturn, gnu::cold, gnu::noinline]] void stop_divergent_warp(const Warp& warp);
  [[noreturn, gnu::cold, gnu::noinline]] void stop_early_exit();
  [[noreturn, gnu::cold, gnu::noinline]] void stop_lost_copy(const PendingCopy& copy, bool committed);

  Grid* grid_ = nullptr;
  Block block_;
  Extent3 shape_;  ///< block extents for which threads_ and warps_ are set up
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned> warp_order_;  ///< order in which the warps run
  unsigned lane_order_[kWarp] = {};
  unsigned turn_ = 0;  ///< index into warp_order_
  unsigned at_barrier_ = 0;
  const Thread* first_at_barrier_ = nullptr;
  unsigned done_ = 0;
  std::uint64_t round_ = 0;

  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<Seat*> free_seats_;
  Seat main_;            ///< the OS thread's own stack
  Seat* here_ = &main_;  ///< the running seat
  void* main_bottom_ = nullptr;
  std::size_t main_bytes_ = 0;
  Context main_context_ = nullptr;

  std::unique_ptr<std::byte, decltype(&std::free)> shared_memory_;
  std::byte* shared_ = nullptr;
  std::size_t shared_used_ = 0;
  std::size_t static_shared_ = 0;
  std::vector<SharedVariable> variables_;

  std::unique_ptr<ptx::Engine> engine_;

  std::string thrown_;  ///< message of an exception in a kernel
  std::uint64_t barriers_ = 0, collectives_ = 0;
};

/// The worker of this OS thread; null on OS threads that have run no blocks.
extern constinit thread_local Worker* worker_here;

}  // namespace minception::simt
