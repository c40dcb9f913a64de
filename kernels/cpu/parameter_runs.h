#pragma once
/// Iteration over the trained parts of the flat parameter buffer, shared by the optimizers.

#include "kernels/cpu/parallel.h"
#include "kernels/operations.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace minception::cpu {

/// Calls f(group, first, count) for every part of the `length` elements that is in one group that trains. The buffer is
/// split over threads, not the groups: their sizes differ by a factor of a million.
template <class F>
void for_each_trained_run(int threads, std::int64_t length, const std::vector<ParameterGroup>& groups, F&& f) {
  parallel(threads, length, length, [&](std::int64_t begin, std::int64_t end, int) {
    for (const ParameterGroup& group : groups) {
      const std::int64_t first = std::max(begin, group.begin);
      const std::int64_t last = std::min(end, group.begin + group.count);
      if (group.trains && first < last) f(group, first, last - first);
    }
  });
}

}  // namespace minception::cpu
