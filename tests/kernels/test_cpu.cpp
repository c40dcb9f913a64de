/// Compares the cpu backend with `reference` on every case.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/onednn_known_faults.h"
#include "tests/kernels/check_conversions.h"
#include "tests/kernels/check_mutations.h"
#include "tests/kernels/check_random.h"
#include "tests/kernels/check_values.h"
#include "tests/kernels/choose_cases.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/staged_case.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <vector>

namespace minception {
namespace {

constexpr const char* kNoBf16 = "oneDNN multiplies no bf16 on this processor";

/// Precisions of the cpu backend on this processor: bf16 needs AVX-512.
std::vector<Precision> precisions() {
  if (cpu::OneDnn::multiplies_bf16()) return {kF32, kBf16};
  return {kF32};
}

}  // namespace

TEST_CASE("cpu agrees with reference in double") {
  const auto cpu = make_cpu_backend();
  for (const Case& test_case : chosen_cases()) {
    const CheckResult result = check_case(*cpu, test_case, kF32, against_pages());
    INFO(result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("cpu in bf16 agrees with reference in double") {
  if (!cpu::OneDnn::multiplies_bf16()) SKIP(kNoBf16);
  const auto cpu = make_cpu_backend();
  for (const Case& test_case : chosen_cases()) {
    const CheckResult result = check_case(*cpu, test_case, kBf16, against_pages());
    INFO(result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("cpu agrees with reference in double on random shapes", "[.random]") {
  std::vector<Precision> precisions = {kF32};
  if (cpu::OneDnn::multiplies_bf16()) precisions.push_back(kBf16);
  const auto make = [] {
    std::vector<std::unique_ptr<Backend>> backends;
    for (const int threads : {2, 3, 4}) backends.push_back(make_cpu_backend(threads));
    return backends;
  };
  check_random_cases(make, precisions, against_pages());
}

TEST_CASE("cpu: NaN and infinity propagate except through the fused ReLU of oneDNN") {
  const auto cpu = make_cpu_backend();
  for (const Case& test_case : small_cases()) {
    for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      for (const Precision& precision : precisions()) {
        const CheckResult result = check_propagation(*cpu, test_case, value, precision);
        INFO(result.message);
        CHECK(result.passed);
      }
    }
  }
}

TEST_CASE("cpu: casts between f32 and bf16 and non-finite counts") { check_conversions(*make_cpu_backend()); }

TEST_CASE("cpu: moving averages and NaN in pools and dropout and rejected settings") {
  const auto cpu = make_cpu_backend();
  check_values(*cpu, cpu::OneDnn::multiplies_bf16());
  check_refused_settings(*cpu);
  check_refused_argmax(*cpu, "max_pool2d_backward: argmax 4 is not a window index of a kernel of 2x2");
}

TEST_CASE("cpu: an unknown MINCEPTION_CPU is rejected with the levels of the build") {
  const char* before = std::getenv("MINCEPTION_CPU");
  const std::string level = before == nullptr ? "" : before;
  setenv("MINCEPTION_CPU", "v9", 1);
  CHECK_THROWS_WITH(make_cpu_backend(),
                    Catch::StartsWith("MINCEPTION_CPU=v9: not a level of this build; choose from "));
  setenv("MINCEPTION_CPU", level.c_str(), 1);
  CHECK_NOTHROW(make_cpu_backend());
}

TEST_CASE("cpu: f64 is rejected") {
  const auto cpu = make_cpu_backend();
  const std::string words = "the cpu backend computes in f32 and bf16, not in f64; use the reference backend for f64";
  ReluForward relu;
  relu.x = relu.y = Tensor({1, 2}, DType::f64);
  CHECK_THROWS_WITH(cpu->plan(relu), words);
  Cast cast;
  cast.x = Tensor({1, 2}, DType::bf16);
  cast.y = Tensor({1, 2}, DType::f64);
  CHECK_THROWS_WITH(cpu->plan(cast), words);
  cast.y.dtype = DType::f32;
  CHECK_NOTHROW(cpu->plan(cast));
}

TEST_CASE("cpu: two backends in one process give correct results") {
  const auto first = make_cpu_backend(1);
  const auto second = make_cpu_backend(2);
  const Precision other = precisions().back();
  for (const Case& test_case : small_cases()) {
    const CheckResult results[] = {check_case(*first, test_case), check_case(*second, test_case, other),
                                   check_case(*first, test_case, other), check_case(*second, test_case)};
    for (const CheckResult& result : results) {
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("cpu: no case uses a reference implementation of oneDNN") {
  CpuBackend cpu(0);
  for (const Case& test_case : all_cases()) {
    for (const Precision& precision : precisions()) {
      const Values values = make_values(test_case, precision.storage);
      cpu.plan(StagedCase(cpu, test_case.operation, precision.storage, values).operation());
    }
  }
  const std::vector<std::string> implementations = cpu.implementations();
  const auto in_bf16 = [](const std::string& line) { return line.find(", bf16: ") != std::string::npos; };
  if (cpu::OneDnn::multiplies_bf16())
    CHECK(std::count_if(implementations.begin(), implementations.end(), in_bf16) > 50);
  CHECK(std::count_if(implementations.begin(), implementations.end(), std::not_fn(in_bf16)) > 50);
  for (const std::string& line : implementations) {
    INFO(line);
    CHECK(line.find(": ref") == std::string::npos);
  }
}

TEST_CASE("cpu: known faulty implementations of oneDNN are not used") {
  cpu::ConvolutionShape shape = {.pass = cpu::Pass::backward_weights,
                                 .n = 3,
                                 .i = 7,
                                 .h = 28,
                                 .w = 28,
                                 .o = 16,
                                 .p = 14,
                                 .q = 14,
                                 .kh = 1,
                                 .kw = 1,
                                 .stride_h = 2,
                                 .stride_w = 2};
  cpu::OneDnn onednn(2);
  for (shape.i = 1; shape.i < 8; ++shape.i) onednn.convolution(shape);
  const std::vector<std::string> implementations = onednn.implementations();
  CHECK(implementations.size() == 7);
  for (const std::string& line : implementations) {
    INFO(line);
    CHECK(line.find(": jit_1x1") == std::string::npos);
  }
  const auto is_fault = [&](const char* name, std::int64_t channels) {
    shape.i = channels;
    return cpu::is_known_fault(cpu::onednn_version(2, 6), name, shape);
  };
  CHECK(is_fault("jit_1x1:avx2", 7));
  CHECK(!is_fault("jit_1x1:avx2", 8));
  CHECK(is_fault("jit_1x1:avx512_core", 15));
  CHECK(!is_fault("jit_1x1:avx512_core", 16));
  CHECK(!is_fault("jit:avx2", 7));
  CHECK(is_fault("jit_bf16_1x1:avx512_core_bf16", 64));
  CHECK(!is_fault("jit:avx512_core_amx_bf16", 64));
  shape.padding_w = 1;
  CHECK(is_fault("jit:avx512_core_amx_bf16", 64));
  CHECK(is_fault("jit_bf16:avx512_core_bf16", 64));
  CHECK(!is_fault("jit:avx512_core", 64));
  shape.pass = cpu::Pass::forward;
  CHECK(!is_fault("jit_1x1:avx2", 7));
  CHECK(!is_fault("jit_bf16_1x1:avx512_core_bf16", 64));
  CHECK(is_fault("brgconv:avx512_core_amx_bf16", 64));
  shape.kh = shape.kw = 3;  // as in the models: no stride exceeds the filter
  CHECK(!is_fault("brgconv:avx512_core_amx_bf16", 64));
}

// test_mutations.cpp plants the same faults in f32, in `reference`.
TEST_CASE("cpu: mutations are caught in bf16") {
  if (!cpu::OneDnn::multiplies_bf16()) SKIP(kNoBf16);
  const auto cpu = [] { return make_cpu_backend(); };
  for (auto* mutations_of :
       {convolution_mutations, pooling_mutations, elementwise_mutations, normalization_mutations}) {
    check_mutations(cpu, mutations_of(), kBf16);
  }
}

}  // namespace minception
