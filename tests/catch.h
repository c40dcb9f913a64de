#pragma once
/// Catch2, version 2 or 3, under the names of version 2, and SKIP for both.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>

namespace Catch {

inline auto Contains(const std::string& text) { return Matchers::ContainsSubstring(text); }
using Matchers::EndsWith;
using Matchers::Equals;
using Matchers::StartsWith;
using TestEventListenerBase = EventListenerBase;

}  // namespace Catch
using Catch::Approx;
#else
#define CATCH_CONFIG_EXTERNAL_INTERFACES  // for listeners
#include <catch2/catch.hpp>

namespace minception {

void note_skipped_test(const std::string& why);
bool all_tests_skipped();

}  // namespace minception

/// Skips a test that cannot run here. Returns from the calling function: use it only in the body of a TEST_CASE.
#define SKIP(why)                         \
  do {                                    \
    ::minception::note_skipped_test(why); \
    return;                               \
  } while (false)
#endif
