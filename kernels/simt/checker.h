#pragma once
/// The checker: sees every memory access of emulated kernels, because they are compiled for ThreadSanitizer and
/// checker_callbacks.cpp stands in for its runtime. It finds
///   - races in shared and device memory, inside a block and between the blocks of a launch,
///   - accesses out of bounds, after cudaFree, of the host's memory or of another thread's stack,
///   - reads of shared memory that nobody wrote, accesses of what a cp.async still writes, misaligned vectors,
/// and counts requests, sectors and bank conflicts on the way. An aggregate that is assigned from a braced list counts
/// as several accesses, one that is copied as one. All this describes the code of the host compiler: a prediction of a
/// GPU's profile, not a measurement.

#include <minception/kernels/simt/observer.h>

#include <cstddef>
#include <cstdint>

namespace minception::simt {

enum class Access : std::uint8_t { read, write, atomic };

/// The thread whose accesses are seen now, and its stack, which nobody else uses: those need no check.
struct Running {
  const Thread* thread = nullptr;
  std::uintptr_t stack = 0;
  std::size_t stack_bytes = 0;
};
extern constinit Running running;

/// While an object of it lives, the watchdog must not end the block: what the checker knows is half changed.
class Busy {
 public:
  Busy() { busy_ = true; }
  ~Busy() {
    busy_ = false;
    if (interrupted_) interrupt_block();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

  static bool postpones_interrupt() {
    interrupted_ = busy_;
    return busy_;
  }
  /// Until the next block begins.
  static void for_good() { busy_ = true; }
  static void reset() {
    busy_ = false;
    interrupted_ = false;
  }

 private:
  // Written by a signal handler on the same OS thread.
  static inline constinit volatile bool busy_ = false, interrupted_ = false;
};

/// Changes `running`.
void checker_switches_to(const Thread& thread);

/// An access of 1, 2, 4, 8 or 16 bytes by the running thread to anything but its own stack.
void checker_sees(Access access, std::uintptr_t address, unsigned bytes, std::uintptr_t return_address);

}  // namespace minception::simt
