/// Dropout. The backward pass draws the mask again. Elements are numbered over the whole epoch in memory order, so
/// adjacent elements have consecutive counters, and four of them share a Philox block.

#include "core/random.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace minception {
namespace {

using namespace cpu;

/// Mask elements drawn at a time.
constexpr std::int64_t kDrawn = 256;

class Mask {
 public:
  Mask(const DropoutAttributes& attributes, const Tensor& position, const Tensor& x)
      : threshold_(attributes.p), scale_(static_cast<float>(1.0 / (1.0 - attributes.p))) {
    const std::int64_t* at = position.as<const std::int64_t>();
    random_ = {attributes.seed, std::uint64_t{attributes.stream} << 32 | static_cast<std::uint64_t>(at[0])};
    first_ = static_cast<std::uint64_t>(at[1]) * static_cast<std::uint64_t>(x.elements() / x.n());
  }
  float scale() const { return scale_; }

  /// keeps[i] = 1 if element first + i of the batch is kept, else 0. count <= kDrawn.
  void draw(std::int64_t first, std::int64_t count, std::uint8_t* keeps) const {
    const std::uint64_t begin = first_ + static_cast<std::uint64_t>(first);
    const std::uint64_t end = begin + static_cast<std::uint64_t>(count);
    for (std::uint64_t block = begin & ~std::uint64_t{3}; block < end; block += 4) {
      const PhiloxBlock words = random_.four(block >> 2);
      for (std::uint64_t lane = 0; lane < 4; ++lane) {
        const std::uint64_t index = block + lane;
        if (index < begin || index >= end) continue;
        keeps[index - begin] = static_cast<double>(Random::to_uniform(words.word[lane])) >= threshold_;
      }
    }
  }

 private:
  Random random_;
  double threshold_;
  float scale_;
  std::uint64_t first_ = 0;
};

/// Calls f(run, keeps) for runs of at most kDrawn elements.
template <class F, class... Views>
void for_each_drawn(int threads, const Mask& mask, F&& f, const Views&... views) {
  const std::int64_t channels = std::get<0>(std::tie(views...)).c;
  for_each_run(
      threads,
      [&](const Run& run) {
        std::uint8_t keeps[kDrawn];
        for (std::int64_t done = 0; done < run.count; done += kDrawn) {
          const Run part{run.pixel, run.first + done, std::min(kDrawn, run.count - done)};
          mask.draw(part.pixel * channels + part.first, part.count, keeps);
          f(part, static_cast<const std::uint8_t*>(keeps));
        }
      },
      views...);
}

}  // namespace

void CpuBackend::dropout_forward(const DropoutForward& op, Workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const Mask mask(op.attributes, op.position, op.x);
    const float scale = mask.scale();
    for_each_drawn(
        threads_, mask,
        [&](const Run& run, const std::uint8_t* keeps) {
          const T* in = run.of(x);
          T* out = run.of(y);
#pragma omp simd
          for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], in[i] * (keeps[i] != 0 ? scale : 0.0f));
        },
        x, y);
  });
}

void CpuBackend::dropout_backward(const DropoutBackward& op, Workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    const Mask mask(op.attributes, op.position, op.dy);
    const float scale = mask.scale();
    for_each_drawn(
        threads_, mask,
        [&](const Run& run, const std::uint8_t* keeps) {
          const T* gradient = run.of(dy);
          store.put(run, [=](std::int64_t i) { return gradient[i] * (keeps[i] != 0 ? scale : 0.0f); });
        },
        dy, store.dx, store.relu_output);
  });
}

}  // namespace minception
