/// Exponential moving average of weights. The update number is read from device memory, so that the update can be
/// captured in a CUDA graph.

#include "core/moving_average.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/parameter_runs.h"

#include <cstdint>

namespace minception {
namespace cuda {

/// One thread per V values.
template <int V>
__global__ void __launch_bounds__(kParametersBlock) ema_update(const std::int64_t* step, const float* w, float* average,
                                                               int count, float most_kept, float least_taken) {
  const int first = (blockIdx.x * kParametersBlock + threadIdx.x) * V;
  if (first >= count) return;
  const bool starts = step[0] <= 1;
  const auto t = static_cast<float>(step[0]);
  const float kept = min(most_kept, (1.0f + t) / (10.0f + t));
  const float taken = max(least_taken, 9.0f / (10.0f + t));
  if (count - first >= V) {
    const FloatArray<V> weights = load<V>(w + first);
    FloatArray<V> averages = load<V>(average + first);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      averages[i] = starts ? weights[i] : moving_average(averages[i], weights[i], kept, taken);
    }
    store<V>(average + first, averages);
    return;
  }
  for (int i = first; i < count; ++i) average[i] = starts ? w[i] : moving_average(average[i], w[i], kept, taken);
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::ema_update(const EmaUpdate& op, Workspace) {
  const View<const float> w = const_view<float>(op.w);
  const View<float> average = view<float>(op.average);
  const auto most_kept = static_cast<float>(op.decay);
  const auto least_taken = static_cast<float>(1.0 - op.decay);
  for_alignment(
      [&]<int V>() {
        launch<cuda::ema_update<V>>(ceil_div(w.elements(), kParametersBlock * V), kParametersBlock, 0, stream_,
                                    values<const std::int64_t>(op.step), w.data, average.data, w.elements(), most_kept,
                                    least_taken);
      },
      w.data, average.data);
}

}  // namespace minception
