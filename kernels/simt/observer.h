#pragma once
/// What the executor tells the checker. In a build without it nobody listens.

#include <minception/kernels/simt/executor.h>

namespace minception::simt {

class Observer {
 public:
  virtual ~Observer() = default;
  /// Kernels may read the argument, though it is no device memory.
  virtual void launch_begins(const void* argument, std::size_t argument_bytes) = 0;
  /// Adds what it counted.
  virtual void launch_ends(KernelCounters& counters) = 0;
  virtual void block_begins(const Block& block, const void* shared, std::size_t shared_bytes) = 0;
  virtual void block_ends(const Block& block) = 0;
  /// In the order of addresses. Dynamic shared memory has no name.
  virtual void shared_declared(const void* data, std::size_t bytes, std::string_view name) = 0;
  virtual void barrier_passed(const Block& block) = 0;
  virtual void collective_begins(const Lanes& lanes) = 0;
  /// All collectives exchange registers; __syncwarp alone orders accesses of memory.
  virtual void warp_barrier_passed(const Lanes& lanes) = 0;
  /// Accesses that instrumentation does not see: those of collectives, asynchronous copies and atomics.
  virtual void reads(Thread& thread, const void* data, unsigned bytes, const Position& where) = 0;
  virtual void copy_issued(Thread& thread, const PendingCopy& copy) = 0;
  virtual void copy_landed(Thread& thread, const PendingCopy& copy) = 0;
  virtual void atomic(Thread& thread, const void* data, unsigned bytes, const Position& where) = 0;
  virtual void fence(Thread& thread) = 0;
  /// What follows in this block is not the kernel's doing: an error is put into words.
  virtual void stopping() = 0;
  /// The watchdog wants to end the block, at any point of its code. True: not now; `interrupt_block` will be called.
  virtual bool postpones_interrupt() = 0;
  virtual void allocated(const void* data, std::size_t bytes) = 0;
  virtual void freed(const void* data, std::size_t bytes) = 0;
};

/// Null in a build without the checker.
extern constinit Observer* observer;

struct Stack {
  const void* bottom = nullptr;
  std::size_t bytes = 0;
};
/// Ends the block that makes no progress.
void interrupt_block();

/// Of a thread that has begun and is not done.
Stack stack_of(const Thread& thread);

}  // namespace minception::simt
