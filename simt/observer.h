#pragma once
/// Callbacks from the executor to the checker. Builds without the checker have no observer.

#include "simt/executor.h"

#include <cstdint>
#include <string>

namespace minception::simt {

enum class Access : std::uint8_t { read, write, atomic };

class Observer {
 public:
  virtual ~Observer() = default;
  /// Kernels may read the argument, although it is host memory.
  virtual void launch_begins(const void* argument, std::size_t argument_bytes) = 0;
  /// Adds the counts of the launch to `counters`.
  virtual void launch_ends(KernelCounters& counters) = 0;
  virtual void block_begins(const Block& block, const void* shared, std::size_t shared_bytes) = 0;
  virtual void block_ends(const Block& block) = 0;
  /// Called in ascending address order. The name of dynamic shared memory is empty.
  virtual void shared_declared(const void* data, std::size_t bytes, std::string_view name) = 0;
  virtual void barrier_passed(const Block& block) = 0;
  virtual void collective_begins(const Lanes& lanes) = 0;
  /// Called for __syncwarp only: other collectives exchange registers and do not order memory accesses.
  virtual void warp_barrier_passed(const Lanes& lanes) = 0;
  /// Accesses that are not instrumented: those of collectives, asynchronous copies and atomics.
  virtual void reads(Thread& thread, const void* data, unsigned bytes, const Position& where) = 0;
  virtual void copy_issued(Thread& thread, const PendingCopy& copy) = 0;
  virtual void copy_landed(Thread& thread, const PendingCopy& copy) = 0;
  virtual void atomic(Thread& thread, const void* data, unsigned bytes, const Position& where) = 0;
  virtual void fence(Thread& thread) = 0;
  /// An access by an instruction of PTX, which `code` identifies.
  virtual void accesses(Thread& thread, Access access, const void* data, unsigned bytes, const void* code) = 0;
  /// Ends checking in this block: an error message is being built.
  virtual void stopping() = 0;
  /// Called when the watchdog interrupts the block. True postpones: the observer then calls `interrupt_block` later.
  virtual bool postpones_interrupt() = 0;
  virtual void allocated(const void* data, std::size_t bytes) = 0;
  virtual void freed(const void* data, std::size_t bytes) = 0;
};

/// Null in a build without the checker.
extern constinit Observer* observer;

/// Describes an instruction of PTX (Observer::accesses) for reports: "kernels/cuda/adam.cu:31, adam.ptx:120".
using PositionOfCode = std::string (*)(const void* code);
extern constinit PositionOfCode position_of_code;

struct Stack {
  const void* bottom = nullptr;
  std::size_t bytes = 0;
};
/// Ends the running block, which makes no progress.
void interrupt_block();

/// Stack of a thread that has started and is not done.
Stack stack_of(const Thread& thread);

}  // namespace minception::simt
