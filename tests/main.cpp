/// main of every test program. Returns 77, CTest's SKIP_RETURN_CODE, if all executed tests were skipped.

#define CATCH_CONFIG_RUNNER  // version 2: compiles Catch2's implementation here
#include "tests/catch.h"

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
