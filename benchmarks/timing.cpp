#include "benchmarks/timing.h"
#include "core/error.h"
#include "core/random.h"
#include "tests/kernels/precision.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <type_traits>

namespace minception {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool emulated(const Backend& backend) { return backend.device().kind == DeviceKind::cuda && cuda_is_emulated(); }

}  // namespace

std::vector<Staged> make_copies(Backend& backend, const Operation& operation, DType storage) {
  const std::size_t rotated = emulated(backend) ? 0 : std::size_t{128} << 20;
  std::vector<Staged> copies;
  copies.emplace_back(backend, in_dtype(storage, operation));
  const std::size_t count = std::clamp<std::size_t>(rotated / std::max<std::size_t>(copies[0].bytes(), 1), 1, 64);
  copies.reserve(count + 1);
  while (copies.size() < count) copies.emplace_back(backend, in_dtype(storage, operation));
  return copies;
}

double median_microseconds(Backend& backend, std::vector<Staged>& copies, double seconds) {
  const auto pass = [&] {
    for (Staged& copy : copies) copy.run();
  };
  pass();  // warm-up; a capture requires an earlier run
  backend.synchronize();
  const std::unique_ptr<CapturedGraph> graph = backend.capture(pass);
  const auto time = [&] {
    double passed = 0.0;
    if (graph) {
      passed = graph->replay_timed(1);
    } else {
      const auto start = Clock::now();
      pass();
      backend.synchronize();
      passed = seconds_since(start);
    }
    return passed * 1e6 / static_cast<double>(copies.size());
  };
  time();
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.size() < 3 || (times.size() < 101 && seconds_since(start) < seconds)) times.push_back(time());
  return median(std::move(times));
}

double copy_gigabytes_per_second(Backend& backend) {
  const Shape shape = {emulated(backend) ? std::int64_t{1} << 18 : std::int64_t{1} << 26};
  std::vector<Staged> copies;
  copies.emplace_back(backend, Cast{Tensor(shape, DType::f32), Tensor(shape, DType::f32)});
  return static_cast<double>(copies[0].bytes()) / median_microseconds(backend, copies, 0.2) * 1e-3;
}

double product_teraflops(Backend& backend, DType storage) {
  // Many more rows than columns, so that work done once per run, such as rounding the weights to bf16, is negligible.
  const bool gpu = backend.device().kind == DeviceKind::cuda && !cuda_is_emulated();
  const std::int64_t rows = gpu ? 32'768 : emulated(backend) ? 128 : 8'192;
  const std::int64_t width = gpu ? 4'096 : emulated(backend) ? 32 : 1'024;
  const Operation product = LinearForward{.x = Tensor({rows, width}, DType::f32),
                                          .w = Tensor({width, width}, DType::f32),
                                          .y = Tensor({rows, width}, DType::f32)};
  // CPU libraries are optimised for convolutions more than for this product.
  const std::int64_t images = gpu                 ? 256
                              : emulated(backend) ? 1
                                                  : 16,
                     channels = gpu                 ? 512
                                : emulated(backend) ? 16
                                                    : 128;
  const Shape image = {images, channels, 28, 28};
  const Operation convolution = Conv2dForward{.attributes = {.padding = {2, 2}},
                                              .x = Tensor(image, DType::f32),
                                              .w = Tensor({channels, channels, 5, 5}, DType::f32),
                                              .y = Tensor(image, DType::f32)};
  double best = 0.0;
  for (const Operation& operation : {product, convolution}) {
    std::vector<Staged> copies;
    copies.emplace_back(backend, in_dtype(storage, operation));
    const double microseconds = median_microseconds(backend, copies, 0.2);
    best = std::max(best, 2e-6 * static_cast<double>(multiply_accumulates(operation)) / microseconds);
  }
  return best;
}

}  // namespace minception
