/// The cpu backend against `reference`, on every case.

#include <minception/kernels/cpu/backend.h>
#include <minception/tests/kernels/check_conversions.h>
#include <minception/tests/kernels/check_mutations.h>
#include <minception/tests/kernels/choose_cases.h>
#include <minception/tests/kernels/harness.h>
#include <minception/tests/kernels/staged_case.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace minception {

TEST_CASE("cpu agrees with reference in double") {
  const auto cpu = make_cpu_backend();
  for (const Case& test_case : chosen_cases()) {
    const CheckResult result = check_case(*cpu, test_case);
    INFO(result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("cpu in bf16 agrees with reference in double") {
  const auto cpu = make_cpu_backend();
  for (const Case& test_case : chosen_cases()) {
    const CheckResult result = check_case(*cpu, test_case, kBf16);
    INFO(result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("NaN and infinity propagate through cpu, except where oneDNN's ReLU swallows them") {
  const auto cpu = make_cpu_backend();
  for (const Case& test_case : small_cases()) {
    for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      for (const Precision& precision : {kF32, kBf16}) {
        const CheckResult result = check_propagation(*cpu, test_case, value, precision);
        INFO(result.message);
        CHECK(result.passed);
      }
    }
  }
}

TEST_CASE("cpu converts between f32 and bf16 and counts what is not finite") { check_conversions(*make_cpu_backend()); }

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
  for (const Case& test_case : small_cases()) {
    const CheckResult results[] = {check_case(*first, test_case), check_case(*second, test_case, kBf16),
                                   check_case(*first, test_case, kBf16), check_case(*second, test_case)};
    for (const CheckResult& result : results) {
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("no oneDNN primitive of any case runs on a reference implementation") {
  CpuBackend cpu(0);
  for (const Case& test_case : all_cases()) {
    for (const Precision& precision : {kF32, kBf16}) {
      const Values values = make_values(test_case, precision.storage);
      cpu.plan(StagedCase(cpu, test_case.operation, precision.storage, values).operation());
    }
  }
  const std::vector<std::string> implementations = cpu.implementations();
  const auto in_bf16 = [](const std::string& line) { return line.find(", bf16: ") != std::string::npos; };
  CHECK(std::count_if(implementations.begin(), implementations.end(), in_bf16) > 50);
  CHECK(std::count_if(implementations.begin(), implementations.end(), std::not_fn(in_bf16)) > 50);
  for (const std::string& line : implementations) {
    INFO(line);
    CHECK(line.find(": ref") == std::string::npos);
  }
}

// In f32 test_mutations.cpp plants the same faults.
TEST_CASE("cpu: mutations are caught in bf16") {
  const auto cpu = [] { return make_cpu_backend(); };
  for (auto* mutations_of :
       {convolution_mutations, pooling_mutations, elementwise_mutations, normalization_mutations}) {
    check_mutations(cpu, mutations_of(), kBf16);
  }
}

}  // namespace minception
