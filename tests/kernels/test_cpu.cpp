/// The cpu backend against `reference`, on every case.

#include <minception/kernels/cpu/backend.h>
#include <minception/kernels/cpu/onednn.h>
#include <minception/kernels/cpu/onednn_known_faults.h>
#include <minception/tests/kernels/check_conversions.h>
#include <minception/tests/kernels/check_mutations.h>
#include <minception/tests/kernels/check_random.h>
#include <minception/tests/kernels/check_values.h>
#include <minception/tests/kernels/choose_cases.h>
#include <minception/tests/kernels/harness.h>
#include <minception/tests/kernels/staged_case.h>

#include <minception/tests/catch.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace minception {
namespace {

constexpr const char* kNoBf16 = "oneDNN multiplies no bf16 on this processor";

/// What the cpu backend computes in on this processor: bf16 needs AVX-512.
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

TEST_CASE("NaN and infinity propagate through cpu, except where oneDNN's ReLU swallows them") {
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

TEST_CASE("cpu converts between f32 and bf16 and counts what is not finite") { check_conversions(*make_cpu_backend()); }

TEST_CASE("cpu: moving averages, NaN in pools and dropout, refused settings") {
  const auto cpu = make_cpu_backend();
  check_values(*cpu, cpu::OneDnn::multiplies_bf16());
  check_refused_settings(*cpu);
  check_refused_argmax(*cpu, "max_pool2d_backward: argmax 4 is no tap of a kernel of 2x2");
}

TEST_CASE("cpu computes in f32 and bf16 and says so") {
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

TEST_CASE("two cpu backends in one process do not disturb each other") {
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

TEST_CASE("no oneDNN primitive of any case runs on a reference implementation") {
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

TEST_CASE("implementations of oneDNN that are known to be faulty are not used") {
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
  shape.kh = shape.kw = 3;  // as in the models: no stride goes beyond the filter
  CHECK(!is_fault("brgconv:avx512_core_amx_bf16", 64));
}

// In f32 test_mutations.cpp plants the same faults.
TEST_CASE("cpu: mutations are caught in bf16") {
  if (!cpu::OneDnn::multiplies_bf16()) SKIP(kNoBf16);
  const auto cpu = [] { return make_cpu_backend(); };
  for (auto* mutations_of :
       {convolution_mutations, pooling_mutations, elementwise_mutations, normalization_mutations}) {
    check_mutations(cpu, mutations_of(), kBf16);
  }
}

}  // namespace minception
