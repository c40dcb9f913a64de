#pragma once
/// How an optimizer's kernel walks over the flat parameter buffer, up to 192 runs of parameters in one launch: neighbouring
/// segments that are updated alike are merged into runs, and a table of those travels as a kernel argument.

#include <minception/kernels/cuda/vector.h>
#include <minception/kernels/operations.h>

#include <cstdint>
#include <vector>

namespace minception::cuda {

inline constexpr int kParametersBlock = 256;
inline constexpr int kMostRuns = 192;  ///< of one launch: kernel arguments end at 4 KiB

/// Parameters that are updated alike.
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

/// The V parameters that a thread updates, as far as they belong to its run.
struct ParameterPlace {
  int first, begin, end;
  float learning_rate_scale, weight_decay;

  template <int V>
  __device__ bool whole() const {
    return first >= begin && end - first >= V;
  }
};

/// Thread t of a run's block b gets the parameters from floor(begin / V) * V + (b * kParametersBlock + t) * V on.
template <int V>
__device__ __forceinline__ ParameterPlace parameter_place(const ParameterRuns& runs) {
  // The last run that begins at this block or before.
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

inline std::vector<ParameterRun> merged_runs(const std::vector<ParameterSegment>& segments) {
  std::vector<ParameterRun> runs;
  for (const ParameterSegment& segment : segments) {
    if (!segment.trains || segment.count == 0) continue;
    const ParameterRun run = {static_cast<int>(segment.begin), static_cast<int>(segment.begin + segment.count), 0,
                              static_cast<float>(segment.learning_rate_scale),
                              static_cast<float>(segment.weight_decay)};
    if (!runs.empty() && runs.back().end == run.begin && runs.back().learning_rate_scale == run.learning_rate_scale &&
        runs.back().weight_decay == run.weight_decay) {
      runs.back().end = run.end;
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

/// f.operator()<V>() with 16 bytes of floats at a time where all buffers are so aligned, else with single ones. Runs may
/// begin and end anywhere.
template <class F, class... Buffers>
void for_alignment(F&& f, const Buffers*... buffers) {
  const bool wide = ((reinterpret_cast<std::uintptr_t>(buffers) % 16 == 0) && ...);
  if (wide) {
    f.template operator()<kWidest<float>>();
  } else {
    f.template operator()<1>();
  }
}

/// f(blocks, runs) for every launch that it takes to update these segments, V parameters per thread.
template <int V, class F>
void for_each_launch(const std::vector<ParameterSegment>& segments, F&& f) {
  const std::vector<ParameterRun> all = merged_runs(segments);
  for (std::size_t done = 0; done < all.size(); done += kMostRuns) {
    ParameterRuns runs = {};
    int blocks = 0;
    for (std::size_t i = done; i < all.size() && i < done + kMostRuns; ++i) {
      ParameterRun run = all[i];
      run.first_block = blocks;
      blocks += static_cast<int>(blocks_for(run.end - run.begin / V * V, kParametersBlock * V));
      runs.run[runs.count++] = run;
    }
    f(blocks, runs);
  }
}

}  // namespace minception::cuda
