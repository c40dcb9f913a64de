#pragma once
/// Runs CUDA kernels on the CPU, each thread of a block as a fiber. Execution is deterministic. Undefined behaviour in
/// CUDA's terms is an error: it ends the kernel, and `launch_kernel` throws an Error that names the kernel, the block,
/// the threads and the source positions.
///
/// A block runs on one OS thread; blocks are distributed over OS threads. The threads of a block run one after another,
/// each until it reaches a barrier or warp collective, so kernels without barriers need no context switches. Shared
/// memory is filled with 0xff bytes (NaN) when a block begins.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <set>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};
/// Extents of a grid or block; 1 by default.
struct Extent3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr Extent3() = default;
  constexpr Extent3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  std::size_t count() const { return std::size_t{x} * y * z; }
};

/// Order in which blocks start and the threads of a block run. Results must not depend on it.
enum class Order : std::uint8_t { forward, reverse, random };

/// When a `cp.async` completes: as late as the program allows, or immediately. Results must not depend on it.
enum class CopyLanding : std::uint8_t { lazy, eager };

/// What is executed: the host compiler's code, nvcc's PTX (simt/ptx), or both from the same memory, compared. With
/// `none`, launches are checked and counted, but no thread runs.
enum class Execution : std::uint8_t { host, ptx, compare, none };

/// Read at every launch. The environment variable MINCEPTION_SIMT sets the initial values, for example
/// MINCEPTION_SIMT=order=random,seed=7,copies=eager,threads=1,watchdog=10
struct Settings {
  Order order = Order::forward;
  std::uint64_t seed = 0;  ///< of the random order
  CopyLanding copies = CopyLanding::lazy;
  Execution execution = Execution::host;  ///< a build with MINCEPTION_CUDA=PTX begins with ptx
  std::string ptx_folder;                 ///< with the PTX files; empty: those of the build
  int os_threads = 0;                     ///< 0: one per core
  bool check = true;                      ///< in checker builds; false: checks only bounds and alignment
  double watchdog_seconds = 60.0;         ///< a block without progress for this long is ended; 0: never
  std::string trace;              ///< thread whose PTX instructions are printed: KERNEL,BLOCK,THREAD (simt/ptx/trace.h)
  std::string report;             ///< file that the comparison is appended to at exit; empty: none
  std::size_t device_memory = 0;  ///< capacity of cudaMalloc in bytes; 0: available host memory
};
Settings& settings();

/// The launch arguments on which the blocks per multiprocessor depend.
struct LaunchShape {
  std::size_t block_threads = 0;
  std::size_t dynamic_shared = 0;  ///< bytes
  auto operator<=>(const LaunchShape&) const = default;
};

/// Counters of one kernel since `reset_counters`. Memory counters need a checker build (checker.h).
struct KernelCounters {
  std::string kernel;
  std::set<LaunchShape> shapes;
  std::uint64_t launches = 0;
  std::uint64_t blocks = 0;
  std::uint64_t threads = 0;
  std::uint64_t barriers = 0;      ///< per block: __syncthreads that all threads passed
  std::uint64_t collectives = 0;   ///< per warp: shuffles, ldmatrix, mma tiles
  std::uint64_t mma = 0;           ///< mma.sync instructions, per warp
  std::uint64_t mma_flops = 0;     ///< 2 * M * N * K of each of them
  std::uint64_t instructions = 0;  ///< PTX instructions of all threads; 0 if the host compiler's code ran
  double seconds = 0.0;            ///< emulation time; does not predict GPU time

  std::uint64_t global_read_bytes = 0, global_write_bytes = 0;          ///< by all threads
  std::uint64_t global_requests = 0;                                    ///< warp-wide accesses
  std::uint64_t global_sectors = 0;                                     ///< 32-byte sectors of each request, summed
  std::uint64_t distinct_read_sectors = 0, distinct_write_sectors = 0;  ///< of each launch, summed
  std::uint64_t shared_requests = 0;
  std::uint64_t shared_wavefronts = 0;  ///< passes over the 32 banks
  std::uint64_t shared_conflicts = 0;   ///< passes beyond those of requests without bank conflicts
};

/// Counters of all kernels, in order of first launch.
std::vector<KernelCounters> counters();
/// Clears the counters and resets the launch number, on which random order depends.
void reset_counters();

/// Whether this build checks memory accesses (races, bounds, initialisation).
bool checker_built();

// ---- used by kernels (through cuda.h) -------------------------------------------------------------------------------

class Worker;
struct Block;

using Position = std::source_location;

/// A pending cp.async.
struct PendingCopy {
  void* to = nullptr;
  const void* from = nullptr;
  unsigned bytes = 0;
  bool valid = true;
  unsigned group = 0;  ///< commits of this thread before the copy
  Position where;
  const void* code = nullptr;  ///< instruction of PTX, instead of `where`
};

/// A thread of the emulated GPU. The fields that a barrier uses fit in one cache line.
struct alignas(64) Thread {
  /// Last action. A released thread keeps its waiting state until it runs.
  enum class State : std::uint8_t { running, at_barrier, in_collective, done };

  Index3 index;
  unsigned number = 0;  ///< linear index in the block
  Block* block = nullptr;
  void* fiber = nullptr;  ///< null unless the thread has started
  Position where;         ///< barrier or collective where it waits, or that it passed last
  unsigned lane = 0;
  unsigned warp = 0;
  State state = State::done;
  bool passed_any = false;

  // Lane mask, function and argument of the current collective.
  unsigned mask = 0;
  void (*collective)(struct Lanes&) = nullptr;
  void* argument = nullptr;

  unsigned groups = 0;  ///< groups committed so far
  std::vector<PendingCopy> copies;
};

/// A running block. Each OS thread runs one at a time.
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

/// The emulated thread that runs on this OS thread; null outside kernels.
extern constinit thread_local Thread* current;

/// __syncthreads
void barrier(const Position& where);

/// Waits until all lanes of `mask` are at the same position with the same mask, then calls run(lanes) once. Lanes that
/// the block does not have are ignored.
void collective(void (*run)(Lanes&), void* argument, unsigned mask, const Position& where);

/// __syncwarp
void warp_barrier(unsigned mask, const Position& where);

/// The block's shared variable that is declared at `site`: the same memory for all threads, filled with 0xff bytes.
void* shared_variable(const void* site, std::string_view name, std::size_t bytes, std::size_t alignment);
/// The block's dynamic shared memory, aligned to 128 bytes.
void* dynamic_shared();

/// __threadfence
void thread_fence();

enum class Atomic : std::uint8_t { add, maximum, minimum, exchange, bit_or, bit_and, increment, compare_exchange };
/// Replaces a 4- or 8-byte integer by operation(old, value) and returns the old value.
std::uint64_t atomic_update(void* address, unsigned bytes, bool is_signed, Atomic operation, std::uint64_t value,
                            std::uint64_t compare, const Position& where);

/// Disables checks for the rest of the block: building an error message may run code that kernels share.
void stopping();
[[noreturn]] void stop_with(std::string message, bool names_thread);
/// Ends the kernel: the launch throws an Error with the kernel, the block, this thread and the message words(). Other
/// objects on this stack are not destroyed.
template <class Words>
[[noreturn]] void stop(Words&& words) {
  stopping();
  stop_with(words(), true);
}
/// The same without the thread, for messages that name threads themselves.
template <class Words>
[[noreturn]] void stop_block(Words&& words) {
  stopping();
  stop_with(words(), false);
}

/// Counts mma.sync instructions of the running warp.
void count_mma(unsigned instructions, unsigned flops_each);

/// Names a kernel for typeid: the type's name contains the kernel's.
template <auto kernel>
struct KernelTag {};

struct KernelArgument {
  const void* data = nullptr;
  std::size_t bytes = 0;
  std::size_t alignment = 0;
};

/// A kernel with its arguments, for either execution.
struct KernelCall {
  std::string_view name;
  void (*body)(const void*) = nullptr;  ///< the host compiler's code of one thread
  const void* body_argument = nullptr;
  std::size_t body_argument_bytes = 0;  ///< kernels may read these bytes
  const char* tag = nullptr;            ///< typeid(KernelTag<kernel>).name(), which finds the PTX
  std::span<const KernelArgument> arguments;
};

/// Dynamic shared memory of a launch.
struct DynamicShared {
  std::size_t bytes = 0;
  std::size_t limit = 0;  ///< that was set for the kernel; up to 48 KiB with the static shared memory need none
};

/// Executes the call once for every thread of the grid and waits for all.
void execute(const KernelCall& call, Extent3 grid, Extent3 block, DynamicShared shared);

/// "file.cu:12:7"
std::string to_string(const Position& where);

}  // namespace minception::simt
