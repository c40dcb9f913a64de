#pragma once
/// Orders the accesses of a launch. The checker runs all threads on one OS thread and stamps each access with a counter
/// that barriers, fences, tickets and new blocks advance. An access is ordered before a later one only if
///   - the same thread did both, or
///   - a barrier of the block lies between them, or
///   - a __syncwarp of both lanes lies between them, or
///   - a ticket connects their blocks: an integer atomic after a __threadfence releases what the fence covers, and a
///     later atomic of another block on the same address acquires it. A fence covers the accesses of its own thread and
///     all accesses that a barrier orders before it. Fences of other threads count if a barrier orders them before the
///     atomic.
/// Shuffles and other collectives exchange registers; in CUDA they do not order memory accesses.

#include "simt/checker_shadow.h"
#include "simt/executor.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace minception::simt {

class Ordering {
 public:
  void launch_begins();
  void block_begins(const Index3& index, std::size_t threads);
  void barrier();
  void warp_barrier(const Lanes& lanes);
  void fence(const Thread& thread);
  /// Call after the access of the atomic is recorded.
  void atomic(const Thread& thread, const void* address);
  /// Sets the running thread, to which `ordered` refers.
  void runs(const Thread& thread);

  std::uint32_t now() const { return stamp_; }

  /// Whether a recorded access of this launch is ordered before the running thread's current access.
  bool ordered(const Record& record) const {
    if (record.stamp >= interval_) {
      return record.thread == thread_ || (record.thread / 32 == thread_ / 32 && record.stamp < warp_barrier_);
    }
    return record.stamp >= block_ || acquired(record);
  }
  bool of_this_block(const Record& record) const { return record.stamp >= block_; }
  bool since_barrier(const Record& record) const { return record.stamp >= interval_; }
  /// Whether an atomic has released the access, so that a block can acquire it.
  bool released(const Record& record) const;
  const Index3& block_of(const Record& record) const { return blocks_[block_number(record.stamp)].index; }

 private:
  struct BlockBegin {
    std::uint32_t stamp;
    Index3 index;
  };
  /// What a fence covers: accesses with smaller stamps.
  struct Fence {
    std::uint32_t stamp = 0;         ///< of the fence: covers its thread; 0: no fence
    std::uint32_t barrier = 0;       ///< last barrier: covers the block
    std::uint32_t warp_barrier = 0;  ///< last __syncwarp: covers the warp
  };
  /// What an atomic after a fence releases.
  struct Release {
    std::size_t block;  ///< index in blocks_
    unsigned thread;
    std::uint32_t stamp;  ///< of the atomic
    Fence fence;
    std::vector<std::uint32_t> fences;  ///< per thread: latest fence before the last barrier
    bool covers(const Record& record) const;
  };
  using Releases = std::vector<Release>;  ///< of one address, in block order
  struct Acquire {
    const Releases* releases;
    std::size_t count;  ///< number of releases acquired
    unsigned thread;
    std::uint32_t stamp;
  };
  struct ThreadOrder {
    std::uint32_t warp_barrier = 0;
    Fence fence;
  };

  std::size_t block_number(std::uint32_t stamp) const;
  bool acquired(const Record& record) const;
  static bool covered(const Releases& releases, std::size_t count, std::size_t block, const Record& record);

  std::uint32_t stamp_ = 1;
  std::uint32_t block_ = 1;     ///< first stamp of the running block
  std::uint32_t interval_ = 1;  ///< first stamp since its last barrier
  unsigned thread_ = 0;         ///< the running thread, and the stamp of its last __syncwarp
  std::uint32_t warp_barrier_ = 0;

  std::vector<ThreadOrder> threads_;
  std::vector<std::uint32_t> fences_;  ///< per thread: latest fence before the last barrier; empty: no fences
  bool fenced_ = false;                ///< since the last barrier
  std::vector<BlockBegin> blocks_;
  std::unordered_map<const void*, Releases> releases_;
  std::vector<Acquire> acquires_;  ///< of the running block
};

}  // namespace minception::simt
