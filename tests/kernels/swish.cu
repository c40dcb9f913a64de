/// The kernels of Swish.

#include "simt/launch.h"
#include "tests/kernels/swish.h"

namespace minception {
namespace {

constexpr int kBlock = 128;

unsigned blocks_of(std::int64_t threads) { return static_cast<unsigned>((threads + kBlock - 1) / kBlock); }

}  // namespace

template <class T>
__global__ void swish_forward_kernel(Elements<const T> x, Elements<const float> w, Elements<T> y) {
  const std::int64_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < x.size()) y[i] = T(SwishValue<float>(x[i], w[i % w.size()]).y);
}

template <class T>
__global__ void swish_dx(Elements<const T> x, Elements<const float> w, Elements<const T> dy, GradElements<T> dx) {
  const std::int64_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < x.size()) dx.put(i, float(dy[i]) * SwishValue<float>(x[i], w[i % w.size()]).dx);
}

/// One thread per channel and part of the pixels: sums[part][channel].
template <class T>
__global__ void swish_dw_parts(Elements<const T> x, Elements<const float> w, Elements<const T> dy, float* sums) {
  const std::int64_t thread = blockIdx.x * blockDim.x + threadIdx.x, channels = w.size();
  const std::int64_t part = thread / channels, channel = thread % channels, pixels = x.size() / channels;
  if (part >= SwishBackward::kParts) return;
  float sum = 0.0f;
  for (std::int64_t pixel = part; pixel < pixels; pixel += SwishBackward::kParts) {
    const std::int64_t i = pixel * channels + channel;
    sum += float(dy[i]) * SwishValue<float>(x[i], w[channel]).dw;
  }
  sums[thread] = sum;
}

__global__ void swish_dw(const float* sums, Elements<float> dw, bool accumulate) {
  const std::int64_t channel = blockIdx.x * blockDim.x + threadIdx.x, channels = dw.size();
  if (channel >= channels) return;
  float sum = accumulate ? dw[channel] : 0.0f;
  for (int part = 0; part < SwishBackward::kParts; ++part) sum += sums[part * channels + channel];
  dw[channel] = sum;
}

void SwishForward::run_cuda(const Custom& op, const RunContext& context) const {
  const auto stream = static_cast<cudaStream_t>(context.stream);
  for_floating(op["x"], [&]<class T>() {
    const Elements<const T> x(op["x"]);
    if constexpr (!std::is_same_v<T, double>) {
      simt::launch_kernel<swish_forward_kernel<T>>(blocks_of(x.size()), kBlock, 0, stream, x,
                                                   Elements<const float>(op["w"]), Elements<T>(op["y"]));
    }
  });
}

void SwishBackward::run_cuda(const Custom& op, const RunContext& context) const {
  const auto stream = static_cast<cudaStream_t>(context.stream);
  const Elements<const float> w(op["w"]);
  const Elements<float> dw(op["dw"]);
  auto* sums = static_cast<float*>(context.workspace.data);
  for_floating(op["x"], [&]<class T>() {
    if constexpr (!std::is_same_v<T, double>) {
      const Elements<const T> x(op["x"]), dy(op["dy"]);
      simt::launch_kernel<swish_dw_parts<T>>(blocks_of(kParts * w.size()), kBlock, 0, stream, x, w, dy, sums);
      simt::launch_kernel<swish_dw>(blocks_of(w.size()), kBlock, 0, stream, sums, dw, op.accumulate);
      // Last, because dx may be dy.
      simt::launch_kernel<swish_dx<T>>(blocks_of(x.size()), kBlock, 0, stream, x, w, dy, GradElements<T>(op.target));
    }
  });
}

}  // namespace minception
