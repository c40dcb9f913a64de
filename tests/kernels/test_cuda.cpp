/// Compares the cuda backend with `reference` in every precision, with every algorithm and, if it is emulated, in
/// several execution orders.

#include "tests/kernels/check_conversions.h"
#include "tests/kernels/check_values.h"
#include "tests/kernels/choose_cases.h"
#include "tests/kernels/emulation.h"
#include "tests/kernels/harness.h"
#include "tests/skip_without_gpu.h"

#ifdef MINCEPTION_EMULATED
#include "simt/memory.h"
#endif

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <limits>
#include <numeric>
#include "tests/catch.h"

namespace minception {
namespace {

std::vector<Case> products(std::vector<Case> cases) {
  std::erase_if(cases, [](const Case& c) { return !multiplies_matrices(c.operation); });
  return cases;
}
std::vector<Case> others(std::vector<Case> cases) {
  std::erase_if(cases, [](const Case& c) { return multiplies_matrices(c.operation); });
  return cases;
}

/// Number of emulated orders: two for many cases, all for a few.
enum class Orders { two = 2, all = std::size(kEmulatedOrders) };

Ways ways_of(Orders orders) {
  Ways ways;
  for (std::size_t i = 0; i < static_cast<std::size_t>(orders); ++i) {
    const EmulatedOrder& order = kEmulatedOrders[i];
    ways.push_back({order.name, [&order] { order.apply(); }});
  }
  return ways;
}

void check_all(const std::vector<Case>& cases, const Precision& precision, const CudaOptions& options = {},
               Orders orders = Orders::two) {
  const EmulatedOrderScope scope;
  const auto cuda = make_cuda_backend(options);
  const Ways ways = ways_of(orders);
  for (const Case& test_case : cases) {
    const CheckResult result = check_case(*cuda, test_case, precision, ways);
    INFO(result.message);
    CHECK(result.passed);
  }
}

void check_all_propagations(const Precision& precision, const CudaOptions& options = {}) {
  const auto cuda = make_cuda_backend(options);
  for (const Case& test_case : small_cases()) {
    for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      const CheckResult result = check_propagation(*cuda, test_case, value, precision);
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

constexpr CudaOptions kNaive = {.algorithm = Algorithm::naive};
constexpr CudaOptions kFma = {.algorithm = Algorithm::fma};
constexpr CudaOptions kTensorOp = {.tf32 = true, .algorithm = Algorithm::tensor_op};
constexpr CudaOptions kAutomaticTf32 = {.tf32 = true};
/// As if few blocks filled the GPU: the larger tiles.
constexpr CudaOptions kFmaLarge = {.algorithm = Algorithm::fma, .blocks_to_fill = 1};
constexpr CudaOptions kTensorOpLarge = {.tf32 = true, .algorithm = Algorithm::tensor_op, .blocks_to_fill = 1};

}  // namespace

TEST_CASE("cuda: f32 products of the automatic algorithm agree with reference") {
  check_all(products(chosen_cases()), kF32);
}
TEST_CASE("cuda: f32 products of the naive algorithm agree with reference") {
  check_all(products(chosen_cases()), kF32, kNaive);
}
TEST_CASE("cuda: f32 products of the fma algorithm agree with reference") {
  check_all(products(chosen_cases()), kF32, kFma);
}
TEST_CASE("cuda: f32 products of the fma algorithm with large tiles agree with reference") {
  check_all(products(chosen_cases()), kF32, kFmaLarge);
}
TEST_CASE("cuda: f32 operations without products agree with reference") { check_all(others(chosen_cases()), kF32); }

TEST_CASE("cuda: tf32 products of the tensor_op algorithm agree with reference") {
  check_all(products(chosen_cases()), kTf32, kTensorOp);
}
TEST_CASE("cuda: tf32 products of the automatic algorithm agree with reference") {
  check_all(products(chosen_cases()), kTf32, kAutomaticTf32);
}

TEST_CASE("cuda: tf32 products of the tensor_op algorithm with large tiles agree with reference") {
  check_all(products(chosen_cases()), kTf32, kTensorOpLarge);
}

TEST_CASE("cuda: bf16 products of the automatic algorithm agree with reference") {
  check_all(products(chosen_cases()), kBf16);
}
TEST_CASE("cuda: bf16 products of the naive algorithm agree with reference") {
  check_all(products(chosen_cases()), kBf16, kNaive);
}
TEST_CASE("cuda: bf16 products of the fma algorithm agree with reference") {
  check_all(products(chosen_cases()), kBf16, kFma);
}
TEST_CASE("cuda: bf16 products of the fma algorithm with large tiles agree with reference") {
  check_all(products(chosen_cases()), kBf16, kFmaLarge);
}
TEST_CASE("cuda: bf16 products of the tensor_op algorithm with large tiles agree with reference") {
  check_all(products(chosen_cases()), kBf16, kTensorOpLarge);
}
TEST_CASE("cuda: bf16 operations without products agree with reference") { check_all(others(chosen_cases()), kBf16); }

TEST_CASE("cuda: f32 gives the same bits in every order") { check_all(small_cases(), kF32, {}, Orders::all); }
TEST_CASE("cuda: tf32 gives the same bits in every order") {
  check_all(products(small_cases()), kTf32, kTensorOp, Orders::all);
}
TEST_CASE("cuda: bf16 gives the same bits in every order") { check_all(small_cases(), kBf16, {}, Orders::all); }

TEST_CASE("cuda: NaN and infinity propagate in f32") { check_all_propagations(kF32); }
TEST_CASE("cuda: NaN and infinity propagate in tf32") { check_all_propagations(kTf32, kTensorOp); }
TEST_CASE("cuda: NaN and infinity propagate in bf16") { check_all_propagations(kBf16); }

TEST_CASE("cuda: casts between f32 and bf16 and non-finite counts") { check_conversions(*make_cuda_backend()); }

TEST_CASE("cuda: moving averages and NaN in pools and dropout") { check_values(*make_cuda_backend(), true); }

TEST_CASE("cuda: f64 is rejected") {
  const auto cuda = make_cuda_backend();
  const Buffer memory = cuda->allocate(16);
  ReluForward relu;
  relu.x = relu.y = Tensor({1, 2}, DType::f64, memory.data(), cuda->device());
  CHECK_THROWS_WITH(cuda->run(relu),
                    "the cuda backend computes in f32 and bf16, not in f64; use the reference backend for f64");
}

TEST_CASE("cuda: load_batch writes NaN and label -1 for an index out of range") {
  const auto cuda = make_cuda_backend();
  for (const Shape& image : {Shape{3, 1, 4, 5}, Shape{3, 1, 8, 10}}) {
    const std::int64_t pixels = 4 * 5;
    const OnDevice<std::uint8_t> images(*cuda,
                                        std::vector<std::uint8_t>(static_cast<std::size_t>(image.elements()), 7));
    const OnDevice<std::int32_t> labels(*cuda, {4, 5, 6});
    const OnDevice<std::int32_t> indices(*cuda, {1, 3, -1, 2});
    const OnDevice<float> y(*cuda, std::vector<float>(static_cast<std::size_t>(4 * pixels)));
    const OnDevice<std::int32_t> y_labels(*cuda, std::vector<std::int32_t>(4));
    LoadBatch op;
    op.scale = {1.0f};
    op.images = images.tensor(image);
    op.labels = labels.flat();
    op.indices = indices.flat();
    op.y = y.tensor({4, 1, 4, 5});
    op.y_labels = y_labels.flat();
    cuda->run(op);
    const std::vector<float> loaded = y.read();
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      const auto sample = static_cast<std::int64_t>(i) / pixels;
      CHECK((sample == 1 || sample == 2 ? std::isnan(loaded[i]) : loaded[i] == 7.0f));
    }
    CHECK(y_labels.read() == std::vector<std::int32_t>{5, -1, -1, 6});
  }
}

TEST_CASE("cuda: a NaN with payload bits below tf32 stays NaN in products") {
  // cvt.rna.tf32.f32 would make 0x7f800001 infinity.
  const auto cuda = make_cuda_backend(kTensorOp);
  constexpr std::int64_t kPixels = 64, kChannels = 32;
  for (const std::uint32_t nan : {0x7f800001u, 0xff801fffu, 0x7fc00000u, 0xffffffffu}) {
    std::vector<float> pixels(static_cast<std::size_t>(kPixels * kChannels), 1.0f);
    pixels[5 * kChannels + 3] = std::bit_cast<float>(nan);
    const OnDevice<float> x(*cuda, pixels), w(*cuda, std::vector<float>(kChannels * kChannels, 1.0f)),
        y(*cuda, std::vector<float>(static_cast<std::size_t>(kPixels * kChannels)));
    LinearForward op;
    op.x = x.tensor({kPixels, kChannels});
    op.w = w.tensor({kChannels, kChannels});
    op.y = y.tensor({kPixels, kChannels});
    cuda->run(op);
    const std::vector<float> result = y.read();
    for (std::size_t i = 0; i < result.size(); ++i) {
      CHECK((i / kChannels == 5 ? std::isnan(result[i]) : result[i] == 32.0f));
    }
  }
}

#ifdef MINCEPTION_EMULATED
TEST_CASE("cuda: load_batch reads images beyond 2 GiB of the data set") {
  const auto cuda = make_cuda_backend();
  // 600 images of 4 MiB, of which only the pages of two are ever touched.
  constexpr std::int64_t kCount = 600, kSide = 2048;
  constexpr std::size_t kImage = kSide * kSide;
  void* const memory = simt::device_allocate(kCount * kImage);
  REQUIRE(memory != nullptr);
  auto* const bytes = static_cast<unsigned char*>(memory);
  std::memset(bytes + 599 * kImage, 99, kImage);
  std::memset(bytes + 512 * kImage, 12, kImage);  // begins at 2^31
  std::vector<std::int32_t> all_labels(kCount);
  std::iota(all_labels.begin(), all_labels.end(), 0);
  const OnDevice<std::int32_t> labels(*cuda, all_labels), indices(*cuda, {599, 0, 512});
  const OnDevice<float> y(*cuda, std::vector<float>(3 * 4 * 4));
  const OnDevice<std::int32_t> y_labels(*cuda, std::vector<std::int32_t>(3));
  LoadBatch op;
  op.scale = {1.0f};
  op.images = Tensor({kCount, 1, kSide, kSide}, DType::u8, memory, cuda->device());
  op.labels = labels.flat();
  op.indices = indices.flat();
  op.y = y.tensor({3, 1, 4, 4});
  op.y_labels = y_labels.flat();
  cuda->run(op);
  const std::vector<float> loaded = y.read();
  for (std::size_t i = 0; i < loaded.size(); ++i) CHECK(loaded[i] == (i < 16 ? 99.0f : i < 32 ? 0.0f : 12.0f));
  CHECK(y_labels.read() == std::vector<std::int32_t>{599, 0, 512});
  simt::device_free(memory);
}
#endif

TEST_CASE("cuda: two backends in one process give correct results") {
  const auto first = make_cuda_backend();
  const auto second = make_cuda_backend(kTensorOp);
  for (const Case& test_case : small_cases()) {
    const CheckResult results[] = {check_case(*first, test_case, kF32), check_case(*second, test_case, kTf32),
                                   check_case(*first, test_case, kBf16)};
    for (const CheckResult& result : results) {
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

}  // namespace minception
