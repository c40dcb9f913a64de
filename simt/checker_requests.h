#pragma once
/// Counts memory requests as a profiler does. Accesses of a warp's lanes form one request if they are the same
/// execution of the same instruction, counted since the last barrier or collective of the whole warp. (If lanes skip
/// different iterations of a loop, this forms requests that a GPU does not make.) A request to device memory touches
/// 32-byte sectors. A request to shared memory takes as many passes over the 32 banks of 4 bytes (wavefronts) as the
/// fullest bank needs; lanes that access the same word share it. 8 bytes per lane take at least one pass per half warp,
/// 16 bytes one per quarter warp.

#include "simt/executor.h"

#include <cstdint>
#include <vector>

namespace minception::simt {

/// Accesses of one instruction to one kind of memory that are not counted yet.
class Requests {
 public:
  void add(unsigned lane, std::uintptr_t address, unsigned bytes) {
    Request& request = next(lane, bytes);
    request.lanes |= 1u << lane;
    request.address[lane] = address;
  }
  /// The lane executes the instruction without an access.
  void skip(unsigned lane, unsigned bytes) { next(lane, bytes); }

  bool empty() const { return used_ == 0; }
  /// Adds the requests to `counters` and clears them.
  void count_global(KernelCounters& counters);
  void count_shared(KernelCounters& counters);

 private:
  struct Request {
    std::uint32_t lanes = 0;
    std::uint32_t bytes = 0;  ///< per lane: 1, 2, 4, 8 or 16
    std::uintptr_t address[32] = {};
  };
  Request& next(unsigned lane, unsigned bytes) {
    const unsigned execution = executions_[lane]++;
    if (execution == used_) {
      if (used_ == requests_.size()) requests_.emplace_back();
      requests_[used_].lanes = 0;
      requests_[used_].bytes = bytes;
      ++used_;
    }
    return requests_[execution];
  }
  void clear();

  std::uint32_t used_ = 0;
  std::uint32_t executions_[32] = {};
  std::vector<Request> requests_;
};

}  // namespace minception::simt
