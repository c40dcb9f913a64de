/// Compares the vendor backend with `reference`. cuDNN and cuBLAS cross-check the case tables; the cases also test the
/// backend's dense copies, strides and accumulation.

#include "tests/kernels/choose_cases.h"
#include "tests/kernels/harness.h"
#include "tests/skip_without_gpu.h"

#include "tests/catch.h"

#include <cmath>
#include <limits>

namespace minception {
namespace {

void check_all(const Precision& precision, const VendorOptions& options = {}) {
  const auto vendor = make_vendor_backend(options);
  for (const Case& test_case : chosen_cases()) {
    const CheckResult result = check_case(*vendor, test_case, precision);
    INFO(result.message);
    CHECK(result.passed);
  }
}

}  // namespace

TEST_CASE("vendor: f32 agrees with reference") { check_all(kF32); }
TEST_CASE("vendor: tf32 agrees with reference") { check_all(kTf32, {.tf32 = true}); }
TEST_CASE("vendor: bf16 agrees with reference") { check_all(kVendorBf16); }

TEST_CASE("vendor: NaN and infinity propagate") {
  const auto vendor = make_vendor_backend();
  for (const Case& test_case : small_cases()) {
    for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      const CheckResult result = check_propagation(*vendor, test_case, value, kF32);
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

}  // namespace minception
