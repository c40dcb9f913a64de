#pragma once
/// For test programs that need the cuda backend: where no GPU answers (and nothing emulates one) they say so instead of
/// failing.

#include <minception/kernels/backend.h>

#include <minception/tests/catch.h>

#include <cstdlib>
#include <iostream>

namespace minception {
namespace {

/// CTest takes the exit code 77 for a test that could not run.
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
