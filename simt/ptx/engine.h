#pragma once
/// Executes the blocks of a kernel from its PTX, on one OS thread.

#include "simt/executor.h"
#include "simt/ptx/program.h"
#include "simt/ptx/trace.h"
#include "simt/ptx/warp.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace minception::simt::ptx {

/// A launch, shared by the engines of all OS threads.
struct Launch {
  const Program* program = nullptr;
  std::vector<std::byte> parameters;
  std::vector<DeviceRange> device_memory;  ///< ascending
  std::unique_ptr<const TraceRequest> trace;
};

/// Warps take turns: each runs until all its lanes wait or have left. Of divergent lanes those with the least program
/// counter run, so they reconverge. In random order, lanes run one at a time between barriers and collectives.
class Engine {
 public:
  /// The launch must outlive the runs. `shared` has room for the shared memory of the program and its gaps.
  void begin(const Launch& launch, const Settings& settings, std::uint64_t number, std::byte* shared,
             std::size_t dynamic_shared);
  void run(const Block& block, std::vector<Thread>& threads, std::atomic<std::uint64_t>& progress);
  /// Ends the running block at its next branch or barrier. Called from a signal handler.
  void interrupt() { interrupted_ = true; }

  /// Totals over the blocks since `begin`.
  const Counts& counts() const { return state_.counts; }

 private:
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };

  void shape(const Extent3& block, const Extent3& grid);
  void set(Warp& warp, Special which, unsigned lane, std::uint32_t value);
  void reset(const Block& block);
  std::vector<std::size_t> warp_order();
  const Instruction* choose(Warp& warp);
  void run_warp(Warp& warp);
  bool pass_barrier(const Block& block, std::atomic<std::uint64_t>& progress);
  [[noreturn]] void stop_divergent(const Warp& warp);
  std::size_t draw(std::size_t count);

  const Launch* launch_ = nullptr;
  const Program* program_ = nullptr;
  Settings settings_;
  std::uint64_t number_ = 0;
  BlockState state_;
  std::vector<Warp> warps_;
  std::unique_ptr<std::byte, Free> registers_;
  std::size_t registers_bytes_ = 0;
  bool shaped_ = false;
  std::uint64_t steps_ = 0;               ///< warp instructions of the block
  std::uint64_t stream_ = 0, draws_ = 0;  ///< of random order
  std::size_t traced_warp_ = ~std::size_t{0};
  std::atomic<bool> interrupted_ = false;
};

}  // namespace minception::simt::ptx
