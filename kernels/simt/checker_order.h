#pragma once
/// Which accesses of a launch are ordered before which. Because the checker runs all threads on one OS thread, a
/// counter that every event advances dates each access. Earlier in date is not ordered before, unless
///   - the same thread did both, or
///   - a barrier of the block lies between, or
///   - a __syncwarp of both lanes lies between, or
///   - a ticket connects their blocks: an integer atomic behind a __threadfence releases what the fence covers, and a
///     later atomic of another block on the same address acquires it. The fence covers its own thread's accesses and
///     all that a barrier puts before it; fences of other threads count once a barrier puts them before the atomic.
/// Shuffles and other collectives exchange registers; CUDA gives them no effect on memory.

#include <minception/kernels/simt/checker_shadow.h>
#include <minception/kernels/simt/executor.h>

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
  /// An atomic that has been recorded.
  void atomic(const Thread& thread, const void* address);
  /// From now on `now()` and `ordered` speak of this thread.
  void runs(const Thread& thread);

  std::uint32_t now() const { return stamp_; }

  /// Whether what was recorded in this launch is ordered before what the running thread does now.
  bool ordered(const Record& record) const {
    if (record.stamp >= interval_) {
      return record.thread == thread_ || (record.thread / 32 == thread_ / 32 && record.stamp < warp_barrier_);
    }
    return record.stamp >= block_ || acquired(record);
  }
  bool of_this_block(const Record& record) const { return record.stamp >= block_; }
  bool since_barrier(const Record& record) const { return record.stamp >= interval_; }
  /// Whether some block may come to see it through a ticket.
  bool released(const Record& record) const;
  const Index3& block_of(const Record& record) const { return blocks_[block_number(record.stamp)].index; }

 private:
  struct BlockBegin {
    std::uint32_t stamp;
    Index3 index;
  };
  /// What a fence covers.
  struct Fence {
    std::uint32_t stamp = 0;         ///< of the fence: all that its thread did before; 0: there was none
    std::uint32_t barrier = 0;       ///< all that the block did before
    std::uint32_t warp_barrier = 0;  ///< all that its warp did before
  };
  /// What an atomic behind a fence hands on.
  struct Release {
    std::size_t block;  ///< number in blocks_
    unsigned thread;
    std::uint32_t stamp;  ///< of the atomic
    Fence fence;
    std::vector<std::uint32_t>
        fences;  ///< of all threads of the block, as far as a barrier puts them before the atomic
    bool covers(const Record& record) const;
  };
  using Releases = std::vector<Release>;  ///< of one address, in the order of blocks
  struct Acquire {
    const Releases* releases;
    std::size_t count;  ///< of the releases seen
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
  std::uint32_t block_ = 1;     ///< first stamp of the block that runs
  std::uint32_t interval_ = 1;  ///< first stamp since its latest barrier
  unsigned thread_ = 0;         ///< that runs, and the latest __syncwarp that it took part in
  std::uint32_t warp_barrier_ = 0;

  std::vector<ThreadOrder> threads_;
  std::vector<std::uint32_t> fences_;  ///< latest fence of every thread before the latest barrier; empty: none at all
  bool fenced_ = false;                ///< since the latest barrier
  std::vector<BlockBegin> blocks_;
  std::unordered_map<const void*, Releases> releases_;
  std::vector<Acquire> acquires_;  ///< of the block that runs
};

}  // namespace minception::simt
