/// main of every test program. Its exit code is 77, CTest's SKIP_RETURN_CODE, when all tests that it ran were skipped.

#define CATCH_CONFIG_RUNNER  // version 2: this file carries Catch2's implementation
#include <minception/tests/catch.h>

int main(int argc, char** argv) {
  constexpr int kAllSkipped = 77;
  const int status = Catch::Session().run(argc, argv);
#if __has_include(<catch2/catch_all.hpp>)
  constexpr int kCatchAllSkipped = 4;
  return status == kCatchAllSkipped ? kAllSkipped : status;
#else
  return status == 0 && minception::all_tests_skipped() ? kAllSkipped : status;
#endif
}
