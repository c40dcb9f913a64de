/// The reference backend: float against double, non-finite values, rejected inputs.

#include "tests/kernels/check_conversions.h"
#include "tests/kernels/check_values.h"
#include "tests/kernels/choose_cases.h"
#include "tests/kernels/harness.h"

#include <cmath>
#include <limits>
#include <set>
#include "tests/catch.h"

namespace minception {

TEST_CASE("reference in float agrees with double") {
  const auto reference = make_reference_backend();
  const std::vector<Case> cases = chosen_cases();
  for (const Case& test_case : cases) {
    const CheckResult result = check_case(*reference, test_case);
    INFO(result.message);
    CHECK(result.passed);
  }
  WARN(cases.size() << " cases");
}

TEST_CASE("reference: NaN and infinity propagate through every operation") {
  const auto reference = make_reference_backend();
  std::set<std::string_view> operations;
  for (const Case& test_case : small_cases()) {
    operations.insert(kind_of(test_case.operation));
    for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      const CheckResult result = check_propagation(*reference, test_case, value);
      INFO(result.message);
      CHECK(result.passed);
    }
  }
  CHECK(operations.size() == std::variant_size_v<Operation>);
}

TEST_CASE("reference: casts between f32 and bf16 and non-finite counts") {
  check_conversions(*make_reference_backend());
}

TEST_CASE("reference: moving averages and NaN in pools and dropout and rejected settings") {
  const auto reference = make_reference_backend();
  check_values(*reference, false);
  check_refused_settings(*reference);
  check_refused_argmax(*reference, "max_pool2d_backward: argmax 4 of output pixel (0, 0) is outside its window");
}

TEST_CASE("reference: cast rounds f64 once") {
  // Values near the tie between the bf16 numbers 1 and 1 + 2^-7, closer than float resolves.
  const double tie = 1.0 + 0x1p-8;
  const std::vector<double> x = {tie,   tie + 0x1p-40, tie - 0x1p-40, -tie - 0x1p-40,
                                 1e300, -1e300,        1e-300,        std::nan("")};
  const std::vector<bf16> y = cast_on<bf16>(*make_reference_backend(), x);
  const std::uint16_t expected[] = {0x3f80, 0x3f81, 0x3f80, 0xbf81, 0x7f80, 0xff80, 0x0000};
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    INFO(i);
    CHECK(y[i].bits == expected[i]);
  }
  CHECK(is_nan(y.back()));

  const auto reference = make_reference_backend();
  CHECK(cast_on<float>(*reference, std::vector<double>{1.0 + 0x1p-30, 1e300}) ==
        std::vector<float>{1.0f, std::numeric_limits<float>::infinity()});
  CHECK(cast_on<double>(*reference, std::vector<bf16>{bf16(0.5f), bf16(-3.0f)}) == std::vector<double>{0.5, -3.0});
}

TEST_CASE("make_backend creates reference and rejects unknown names") {
  const auto reference = make_backend("reference");
  CHECK(reference->name() == "reference");
  CHECK(reference->device() == Device{});
  CHECK_THROWS_WITH(make_backend("gpu"), "unknown device 'gpu': use cpu, cuda, reference or auto");
}

TEST_CASE("reference: bf16 is rejected") {
  std::vector<bf16> memory(2);
  ReluForward op;
  op.x = op.y = Tensor({1, 2}, DType::bf16, memory.data());
  CHECK_THROWS_WITH(
      make_reference_backend()->run(op),
      "the reference backend computes in f32 and f64, not in bf16: choose one of these, or another backend");
}

TEST_CASE("run and plan validate the operation") {
  ReluForward op;
  op.x = Tensor({1, 2}, DType::f32);
  op.y = Tensor({1, 3}, DType::f32);
  CHECK_THROWS_WITH(make_reference_backend()->run(op), "relu_forward: x is [1,2] but y is [1,3]");
  CHECK_THROWS_WITH(make_reference_backend()->plan(op), "relu_forward: x is [1,2] but y is [1,3]");
}

}  // namespace minception
