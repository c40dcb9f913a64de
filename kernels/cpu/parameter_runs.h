#pragma once
/// What the optimizers share: which parts of the flat parameter buffer they change.

#include <minception/kernels/cpu/parallel.h>
#include <minception/kernels/operations.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace minception::cpu {

/// f(segment, first, count) for every run of the `length` elements that lies in one segment that trains. Threads share the
/// buffer, not the segments: those differ in size by a factor of a million.
template <class F>
void for_each_trained_run(int threads, std::int64_t length, const std::vector<ParameterSegment>& segments, F&& f) {
  parallel(threads, length, length, [&](std::int64_t begin, std::int64_t end, int) {
    for (const ParameterSegment& segment : segments) {
      const std::int64_t first = std::max(begin, segment.begin);
      const std::int64_t last = std::min(end, segment.begin + segment.count);
      if (segment.trains && first < last) f(segment, first, last - first);
    }
  });
}

}  // namespace minception::cpu
