/// The cpu backend against `reference`, on every case.

#include <minception/kernels/cpu/backend.h>
#include <minception/tests/kernels/check_conversions.h>
#include <minception/tests/kernels/choose_cases.h>
#include <minception/tests/kernels/harness.h>

#include <catch2/catch.hpp>
#include <cmath>
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

TEST_CASE("NaN and infinity propagate through cpu, except where oneDNN's ReLU swallows them") {
  const auto cpu = make_cpu_backend();
  for (const Case& test_case : small_cases()) {
    for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      const CheckResult result = check_propagation(*cpu, test_case, value);
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("cpu converts between f32 and bf16 and counts what is not finite") { check_conversions(*make_cpu_backend()); }

TEST_CASE("cpu computes in f32 and says so") {
  const auto cpu = make_cpu_backend();
  ReluForward relu;
  relu.x = relu.y = Tensor({1, 2}, DType::bf16);
  const std::string words = "the cpu backend computes in f32, but a tensor [1,2] is ";
  CHECK_THROWS_WITH(cpu->plan(relu), words + "bf16; use f32, or the reference backend for f64");
  Cast cast;
  cast.x = Tensor({1, 2}, DType::bf16);
  cast.y = Tensor({1, 2}, DType::f64);
  CHECK_THROWS_WITH(cpu->plan(cast), words + "f64; use f32, or the reference backend for f64");
  cast.y.dtype = DType::f32;
  CHECK_NOTHROW(cpu->plan(cast));
}

TEST_CASE("two cpu backends in one process do not disturb each other") {
  const auto first = make_cpu_backend(1);
  const auto second = make_cpu_backend(2);
  for (const Case& test_case : small_cases()) {
    for (Backend* backend : {first.get(), second.get()}) {
      const CheckResult result = check_case(*backend, test_case);
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("no oneDNN primitive of any case runs on a reference implementation") {
  CpuBackend cpu(0);
  for (const Case& test_case : all_cases()) cpu.plan(test_case.operation);
  const std::vector<std::string> implementations = cpu.implementations();
  CHECK(implementations.size() > 50);
  for (const std::string& line : implementations) {
    INFO(line);
    CHECK(line.find(": ref") == std::string::npos);
  }
}

}  // namespace minception
