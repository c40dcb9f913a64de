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

template <class T>
T make(double value) {
  if constexpr (std::is_same_v<T, bf16>) {
    return bf16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

bool emulated(const Backend& backend) { return backend.device().kind == DeviceKind::cuda && cuda_is_emulated(); }

}  // namespace

double table_value(std::size_t k, std::size_t i) {
  static const std::vector<float> table = [] {
    std::vector<float> numbers(65'521);
    for (std::size_t n = 0; n < numbers.size(); ++n) numbers[n] = static_cast<float>(Random{1, 1}.normal(n));
    return numbers;
  }();
  return table[(i + 7'919 * (k + 1)) % table.size()];
}

OperandValues table_values(const Operation& operation) {
  std::vector<bool> floating;
  for_each_operand(operation, [&](std::string_view, const Tensor& tensor, Access) {
    floating.push_back(is_floating(tensor.dtype));
  });
  return [floating](std::size_t k, std::size_t i) { return floating[k] ? table_value(k, i) : 0.0; };
}

Staged::Staged(Backend& backend, const Operation& described, DType storage)
    : Staged(backend, described, storage, table_values(described)) {}

Staged::Staged(Backend& backend, const Operation& described, DType storage, const OperandValues& value)
    : backend_(backend), operation_(described) {
  std::size_t k = 0;
  for_each_operand(operation_, [&](std::string_view role, Tensor& tensor, Access access) {
    const DType dtype = dtype_in(storage, operation_, role, tensor);
    const auto count = static_cast<std::size_t>(tensor.elements());
    tensor = Tensor(tensor.shape, dtype, nullptr, backend.device());
    memory_.push_back(backend.allocate(count * size_of(dtype)));
    tensor.data = memory_.back().data();
    bytes_ += count * size_of(dtype);
    if (access != Access::write) {
      std::vector<std::byte> host(count * size_of(dtype));
      const auto write = [&]<class T>(T) {
        for (std::size_t i = 0; i < count; ++i) {
          const T element = make<T>(value(k, i));
          std::memcpy(host.data() + sizeof(T) * i, &element, sizeof(T));
        }
      };
      switch (dtype) {
        case DType::f32:
          write(float{});
          break;
        case DType::bf16:
          write(bf16{});
          break;
        case DType::i32:
          write(std::int32_t{});
          break;
        case DType::i64:
          write(std::int64_t{});
          break;
        case DType::u8:
          write(std::uint8_t{});
          break;
        default:
          fail("dtype ", name_of(dtype), " is not supported for timing");
      }
      backend.copy_to_device(tensor.data, host.data(), host.size());
    }
    ++k;
  });
  workspace_bytes_ = backend.plan(operation_).workspace;
  workspace_ = backend.allocate(workspace_bytes_);
}

std::vector<std::vector<float>> Staged::results() const {
  std::vector<std::vector<float>> all;
  for_each_operand(operation_, [&](std::string_view, const Tensor& tensor, Access access) {
    if (access == Access::read) return;
    std::vector<std::byte> host(tensor.bytes());
    backend_.copy_to_host(host.data(), tensor.data, host.size());
    all.emplace_back(static_cast<std::size_t>(tensor.elements()));
    for (std::size_t i = 0; i < all.back().size(); ++i) {
      bf16 narrow;
      if (tensor.dtype == DType::bf16) {
        std::memcpy(&narrow, host.data() + 2 * i, 2);
        all.back()[i] = static_cast<float>(narrow);
      } else if (tensor.dtype == DType::f32) {
        std::memcpy(&all.back()[i], host.data() + 4 * i, 4);
      } else if (tensor.dtype == DType::u8) {
        all.back()[i] = static_cast<float>(host[i]);
      }
    }
  });
  return all;
}

std::vector<Staged> make_copies(Backend& backend, const Operation& operation, DType storage) {
  const std::size_t rotated = emulated(backend) ? 0 : std::size_t{128} << 20;
  std::vector<Staged> copies;
  copies.emplace_back(backend, operation, storage);
  const std::size_t count = std::clamp<std::size_t>(rotated / std::max<std::size_t>(copies[0].bytes(), 1), 1, 64);
  copies.reserve(count + 1);
  while (copies.size() < count) copies.emplace_back(backend, operation, storage);
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
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

double copy_gigabytes_per_second(Backend& backend) {
  const Shape shape = {emulated(backend) ? std::int64_t{1} << 18 : std::int64_t{1} << 26};
  std::vector<Staged> copies;
  copies.emplace_back(backend, Cast{Tensor(shape, DType::f32), Tensor(shape, DType::f32)}, DType::f32);
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
    copies.emplace_back(backend, operation, storage);
    const double microseconds = median_microseconds(backend, copies, 0.2);
    best = std::max(best, 2e-6 * static_cast<double>(multiply_accumulates(operation)) / microseconds);
  }
  return best;
}

}  // namespace minception
