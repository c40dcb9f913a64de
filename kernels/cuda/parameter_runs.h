#pragma once
/// How optimizer kernels traverse the flat parameter buffer. Adjacent groups with equal settings are merged into runs;
/// a table of up to 192 runs is a kernel argument of each launch.

#include "kernels/cuda/vector.h"
#include "kernels/operations.h"

#include <cstdint>
#include <vector>

namespace minception::cuda {

inline constexpr int kParametersBlock = 256;
inline constexpr int kMostRuns = 192;  ///< per launch: kernel arguments are limited to 4 KiB

/// A range of parameters with equal settings.
struct ParameterRun {
  int begin, end;
  int first_block;
  float learning_rate_scale;
  float weight_decay;
};

struct ParameterRuns {
  int count = 0;
  ParameterRun run[kMostRuns];
};
static_assert(sizeof(ParameterRuns) <= 4096 - 96);

/// The V parameters of a thread from `first` on; those outside [begin, end), its run, are skipped.
struct ParameterPlace {
  int first, begin, end;
  float learning_rate_scale, weight_decay;

  template <int V>
  __device__ bool whole() const {
    return first >= begin && end - first >= V;
  }
};

/// Thread t of a run's block b updates V parameters from floor(begin / V) * V + (b * kParametersBlock + t) * V on.
template <int V>
__device__ __forceinline__ ParameterPlace parameter_place(const ParameterRuns& runs) {
  // The last run whose first block is at or before this one.
  int low = 0;
  int high = runs.count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (runs.run[middle].first_block <= static_cast<int>(blockIdx.x)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const int begin = runs.run[low].begin;
  const int block = static_cast<int>(blockIdx.x) - runs.run[low].first_block;
  return {begin / V * V + (block * kParametersBlock + static_cast<int>(threadIdx.x)) * V, begin, runs.run[low].end,
          runs.run[low].learning_rate_scale, runs.run[low].weight_decay};
}

inline std::vector<ParameterRun> merged_runs(const std::vector<ParameterGroup>& groups) {
  std::vector<ParameterRun> runs;
  for (const ParameterGroup& group : groups) {
    if (!group.trains || group.count == 0) continue;
    const ParameterRun run = {static_cast<int>(group.begin), static_cast<int>(group.begin + group.count), 0,
                              static_cast<float>(group.learning_rate_scale), static_cast<float>(group.weight_decay)};
    if (!runs.empty() && runs.back().end == run.begin && runs.back().learning_rate_scale == run.learning_rate_scale &&
        runs.back().weight_decay == run.weight_decay) {
      runs.back().end = run.end;
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

/// Calls f.operator()<V>() with V = 4 if all buffers are aligned to 16 bytes (nullptr is), else with V = 1. Runs may
/// begin and end anywhere.
template <class F, class... Buffers>
void for_alignment(F&& f, const Buffers*... buffers) {
  const bool vectorized = ((reinterpret_cast<std::uintptr_t>(buffers) % 16 == 0) && ...);
  if (vectorized) {
    f.template operator()<kElementsPerAccess<float>>();
  } else {
    f.template operator()<1>();
  }
}

/// Calls f(blocks, runs) for each launch that updating the groups takes, with V parameters per thread.
template <int V, class F>
void for_each_launch(const std::vector<ParameterGroup>& groups, F&& f) {
  const std::vector<ParameterRun> all = merged_runs(groups);
  for (std::size_t done = 0; done < all.size(); done += kMostRuns) {
    ParameterRuns runs = {};
    int blocks = 0;
    for (std::size_t i = done; i < all.size() && i < done + kMostRuns; ++i) {
      ParameterRun run = all[i];
      run.first_block = blocks;
      blocks += static_cast<int>(ceil_div(run.end - run.begin / V * V, kParametersBlock * V));
      runs.run[runs.count++] = run;
    }
    f(blocks, runs);
  }
}

}  // namespace minception::cuda
