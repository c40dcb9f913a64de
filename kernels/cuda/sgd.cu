/// Stochastic gradient descent over the flat parameter buffer, up to 192 runs of parameters in one launch: neighbouring
/// segments that are updated alike are merged into runs, and a table of those travels as a kernel argument. Learning
/// rate and momentum are read from device memory, so that a captured step can be replayed with others.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/vector.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace minception {
namespace cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kMostRuns = 192;  ///< of one launch: kernel arguments end at 4 KiB

/// Parameters that are updated alike.
struct SgdRun {
  int begin, end;
  int first_block;
  float learning_rate_scale;
  float weight_decay;
};

struct SgdRuns {
  int count = 0;
  SgdRun run[kMostRuns];
};
static_assert(sizeof(SgdRuns) <= 4096 - 64);

std::vector<SgdRun> merged(const std::vector<ParameterSegment>& segments) {
  std::vector<SgdRun> runs;
  for (const ParameterSegment& segment : segments) {
    if (!segment.trains || segment.count == 0) continue;
    const SgdRun run = {static_cast<int>(segment.begin), static_cast<int>(segment.begin + segment.count), 0,
                        static_cast<float>(segment.learning_rate_scale), static_cast<float>(segment.weight_decay)};
    if (!runs.empty() && runs.back().end == run.begin && runs.back().learning_rate_scale == run.learning_rate_scale &&
        runs.back().weight_decay == run.weight_decay) {
      runs.back().end = run.end;
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

struct SgdSettings {
  float learning_rate, momentum, weight_decay;
  bool nesterov;
  bool has_velocity;

  __device__ void update(float g, float& w, float& v) const {
    const float gradient = g + weight_decay * w;
    v = has_velocity ? momentum * v + gradient : gradient;
    w -= learning_rate * (nesterov ? gradient + momentum * v : v);
  }
};

}  // namespace

/// Thread t of a run's block b updates the V parameters at floor(begin / V) * V + (b * kBlock + t) * V, as far as they
/// belong to the run. `v` may be missing.
template <int V>
__global__ void __launch_bounds__(kBlock)
    sgd_step(const float* schedule, const float* g, float* w, float* v, bool nesterov, const SgdRuns runs) {
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
  const int end = runs.run[low].end;
  SgdSettings settings = {schedule[0] * runs.run[low].learning_rate_scale, schedule[1], runs.run[low].weight_decay,
                          nesterov, v != nullptr};
  // A kernel cannot reject a momentum without the operand v: it spoils the weights visibly.
  if (v == nullptr && settings.momentum != 0.0f) settings.learning_rate = std::numeric_limits<float>::quiet_NaN();

  const int first = begin / V * V + ((blockIdx.x - runs.run[low].first_block) * kBlock + threadIdx.x) * V;
  if (first >= end) return;
  if (first >= begin && end - first >= V) {
    const Floats<V> gradients = load<V>(g + first);
    Floats<V> weights = load<V>(w + first);
    Floats<V> velocities = {};
    if (v != nullptr) velocities = load<V>(v + first);
#pragma unroll
    for (int i = 0; i < V; ++i) settings.update(gradients[i], weights[i], velocities[i]);
    store<V>(w + first, weights);
    if (v != nullptr) store<V>(v + first, velocities);
    return;
  }
  for (int i = max(first, begin); i < end && i < first + V; ++i) {
    float velocity = v != nullptr ? v[i] : 0.0f;
    settings.update(g[i], w[i], velocity);
    if (v != nullptr) v[i] = velocity;
  }
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::sgd_step(const SgdStep& op, Workspace) {
  const View<float> w = view<float>(op.w);
  const View<const float> g = const_view<float>(op.g);
  const View<float> v = op.v.defined() ? view<float>(op.v) : View<float>{};
  const auto aligned = [](const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; };
  const bool wide = aligned(w.data) && aligned(g.data) && aligned(v.data);
  const int width = wide ? kWidest<float> : 1;
  const std::vector<SgdRun> all = merged(op.segments);
  for (std::size_t done = 0; done < all.size(); done += kMostRuns) {
    SgdRuns runs = {};
    int blocks = 0;
    for (std::size_t i = done; i < all.size() && i < done + kMostRuns; ++i) {
      SgdRun run = all[i];
      run.first_block = blocks;
      blocks += static_cast<int>(blocks_for(run.end - run.begin / width * width, kBlock * width));
      runs.run[runs.count++] = run;
    }
    const float* const schedule = values<const float>(op.schedule);
    if (wide) {
      launch<cuda::sgd_step<kWidest<float>>>(blocks, kBlock, 0, stream_, schedule, g.data, w.data, v.data, op.nesterov,
                                             runs);
    } else {
      launch<cuda::sgd_step<1>>(blocks, kBlock, 0, stream_, schedule, g.data, w.data, v.data, op.nesterov, runs);
    }
  }
}

}  // namespace minception
