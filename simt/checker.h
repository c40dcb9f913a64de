#pragma once
/// The checker checks every memory access of emulated kernels: they are compiled with -fsanitize=thread, and
/// checker_callbacks.cpp replaces the ThreadSanitizer runtime. It finds
///   - races in shared and device memory, within a block and between the blocks of a launch,
///   - accesses out of bounds, after cudaFree, to host memory or to another thread's stack,
///   - reads of uninitialised shared memory, accesses to the target of a pending cp.async, misaligned vectors,
/// and counts requests, sectors and bank conflicts. Assigning a braced list to an aggregate counts as several accesses,
/// copying an aggregate as one. The counts describe the host compiler's code: they predict a GPU profile and are not a
/// measurement.

#include "simt/observer.h"

#include <cstddef>
#include <cstdint>

namespace minception::simt {

/// The running thread and its stack. Accesses to its own stack are not checked.
struct Running {
  const Thread* thread = nullptr;
  std::uintptr_t stack = 0;
  std::size_t stack_bytes = 0;
};
extern constinit Running running;

/// Scope guard: while it exists, the watchdog postpones ending the block, because the checker's state is inconsistent.
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
  /// Stays busy until the next block begins.
  static void for_good() { busy_ = true; }
  static void reset() {
    busy_ = false;
    interrupted_ = false;
  }

 private:
  // Shared with a signal handler on the same OS thread.
  static inline constinit volatile bool busy_ = false, interrupted_ = false;
};

/// Sets `running`.
void checker_switches_to(const Thread& thread);

/// Checks an access of 1, 2, 4, 8 or 16 bytes by the running thread, outside its own stack.
void checker_sees(Access access, std::uintptr_t address, unsigned bytes, std::uintptr_t return_address);

}  // namespace minception::simt
