#pragma once
/// Runs CUDA kernels on the CPU, every thread of a block as a fiber: deterministic, and strict about what CUDA leaves
/// undefined. A mistake ends the kernel and is thrown from `launch` as an Error that names the kernel, the block, the
/// threads and the source positions.
///
/// A block runs on one OS thread from beginning to end; blocks are spread over OS threads. Threads of a block run one
/// after the other until each has reached the barrier (or the warp collective), so a kernel without barriers costs no
/// switches at all. Shared memory holds NaN bytes when a block begins.

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};
/// Extents of a grid or block; what is not said is 1.
struct Extent3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr Extent3() = default;
  constexpr Extent3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  std::size_t count() const { return std::size_t{x} * y * z; }
};

/// In which order the threads of a block take turns, and blocks begin. A result must not depend on it.
enum class Order : std::uint8_t { forward, reverse, random };

/// When a `cp.async` lands: as late as the program allows, or at once. A result must not depend on it.
enum class CopyLanding : std::uint8_t { lazy, eager };

/// Read at every launch. The environment variable MINCEPTION_SIMT sets them at the start of a program, for example
/// MINCEPTION_SIMT=order=random,seed=7,copies=eager,threads=1,watchdog=10
struct Settings {
  Order order = Order::forward;
  std::uint64_t seed = 0;  ///< of the random order
  CopyLanding copies = CopyLanding::lazy;
  int os_threads = 0;              ///< 0: one per core
  bool check = true;               ///< in a checker build; false: it only counts
  double watchdog_seconds = 60.0;  ///< a block that makes no progress for so long is ended; 0: never
  std::size_t device_memory = 0;   ///< bytes that cudaMalloc hands out; 0: what the host can spare
};
Settings& settings();

/// What one kernel did since `reset_counters`. The second half is counted in checker builds only (checker.h).
struct KernelCounters {
  std::string kernel;
  std::uint64_t launches = 0;
  std::uint64_t blocks = 0;
  std::uint64_t threads = 0;
  std::uint64_t barriers = 0;     ///< per block: __syncthreads that all its threads passed
  std::uint64_t collectives = 0;  ///< per warp: shuffles, ldmatrix, mma tiles
  std::uint64_t mma = 0;          ///< mma.sync instructions, per warp
  std::uint64_t mma_flops = 0;    ///< 2 * M * N * K of each of them
  double seconds = 0.0;           ///< of the emulation: no prediction of a GPU's time

  std::uint64_t global_read_bytes = 0, global_write_bytes = 0;          ///< by all threads
  std::uint64_t global_requests = 0;                                    ///< warp-wide accesses
  std::uint64_t global_sectors = 0;                                     ///< 32-byte sectors that these touch, summed
  std::uint64_t distinct_read_sectors = 0, distinct_write_sectors = 0;  ///< per launch, each counted once
  std::uint64_t shared_requests = 0;
  std::uint64_t shared_wavefronts =
      0;                               ///< passes over the 32 banks; requests without conflict take the fewest possible
  std::uint64_t shared_conflicts = 0;  ///< wavefronts beyond that
};

/// In the order of first launch.
std::vector<KernelCounters> counters();
/// Forgets them, and counts launches anew: a random order depends on how many there were.
void reset_counters();

/// Whether this build checks memory accesses (races, bounds, initialisation).
bool checker_built();

// ---- what kernels use (through cuda.h) ------------------------------------------------------------------------------

class Worker;
struct Block;

using Position = std::source_location;

/// A copy of cp.async that is on its way.
struct PendingCopy {
  void* to = nullptr;
  const void* from = nullptr;
  unsigned bytes = 0;
  bool valid = true;
  unsigned group = 0;  ///< commits of this thread before it
  Position where;
};

/// A thread of the emulated GPU. What a barrier looks at fills one cache line.
struct alignas(64) Thread {
  /// What it did last: a thread that waited and may go on is told so by running.
  enum class State : std::uint8_t { running, at_barrier, in_collective, done };

  Index3 index;
  unsigned number = 0;  ///< in its block
  Block* block = nullptr;
  void* fiber = nullptr;  ///< null before it begins
  Position where;         ///< of the barrier or collective it waits at, or that it passed last
  unsigned lane = 0;
  unsigned warp = 0;
  State state = State::done;
  bool passed_any = false;

  // In a collective: what it does, with which lanes, on what.
  unsigned mask = 0;
  void (*collective)(struct Lanes&) = nullptr;
  void* argument = nullptr;

  unsigned groups = 0;  ///< committed so far
  std::vector<PendingCopy> copies;
};

/// A block in the works. One per OS thread at a time.
struct Block {
  std::string_view kernel;
  Index3 index;
  Extent3 dim;
  Extent3 grid;
  Worker* worker = nullptr;
};

/// The lanes that take part in a collective; the others are null.
struct Lanes {
  Thread* thread[32] = {};
  unsigned mask = 0;

  template <class T>
  T& argument(unsigned lane) const {
    return *static_cast<T*>(thread[lane]->argument);
  }
};

/// The thread that runs on this OS thread now; null outside of kernels.
extern constinit thread_local Thread* current;

/// __syncthreads
void barrier(const Position& where);

/// Waits until all lanes of `mask` are here at the same position with the same mask, lets one of them call run(lanes),
/// and goes on. Lanes that the block does not have are ignored.
void collective(void (*run)(Lanes&), void* argument, unsigned mask, const Position& where);

/// __syncwarp
void warp_barrier(unsigned mask, const Position& where);

/// The block's shared variable that is declared at `site`; the same memory for every thread. Not initialised.
void* shared_variable(const void* site, std::string_view name, std::size_t bytes, std::size_t alignment);
/// The block's dynamic shared memory, aligned to 128 bytes.
void* dynamic_shared();

/// __threadfence
void thread_fence();

enum class Atomic : std::uint8_t { add, maximum, minimum, exchange, bit_or, bit_and, increment, compare_exchange };
/// The old value of a 4- or 8-byte integer, which becomes operation(old, value).
std::uint64_t atomic_update(void* address, unsigned bytes, bool is_signed, Atomic operation, std::uint64_t value,
                            std::uint64_t compare, const Position& where);

/// From here on nothing is the kernel's doing: the words of an error are made by code that kernels may share.
void stopping();
[[noreturn]] void stop_with(std::string message, bool names_thread);
/// Ends the kernel: the launch throws an Error with the kernel, the block, this thread and the message, which is what
/// words() returns. Nothing else on this stack is destroyed.
template <class Words>
[[noreturn]] void stop(Words&& words) {
  stopping();
  stop_with(words(), true);
}
/// The same, for messages that say themselves which threads they are about.
template <class Words>
[[noreturn]] void stop_block(Words&& words) {
  stopping();
  stop_with(words(), false);
}

/// Counts mma.sync instructions of the warp that runs.
void count_mma(unsigned instructions, unsigned flops_each);

/// Runs body(argument) once for every thread of the grid; returns when all are done. Kernels may read the
/// `argument_bytes` bytes of the argument.
void execute(std::string_view kernel, Extent3 grid, Extent3 block, std::size_t shared_bytes, void (*body)(const void*),
             const void* argument, std::size_t argument_bytes);

/// "file.cu:12:7"
std::string to_string(const Position& where);

}  // namespace minception::simt
