#pragma once
/// For test programs that need the cuda backend: without a GPU or its emulation they print the reason and skip all
/// tests.

#include "kernels/backend.h"

#include "tests/catch.h"

#include <cstdlib>
#include <iostream>

namespace minception {
namespace {

/// Exits with 77, CTest's SKIP_RETURN_CODE, if the cuda backend is unavailable.
struct SkipWithoutGpu final : Catch::TestEventListenerBase {
  using Catch::TestEventListenerBase::TestEventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override {
    const std::string problem = why_no_cuda();
    if (problem.empty()) return;
    std::cout << "SKIPPED: " << problem << std::endl;
    std::exit(77);
  }
};
CATCH_REGISTER_LISTENER(SkipWithoutGpu)

}  // namespace
}  // namespace minception
