#pragma once
/// Random cases on several backends. Environment variables and defaults: MINCEPTION_RANDOM_SEED (1),
/// MINCEPTION_RANDOM_FIRST (0), MINCEPTION_RANDOM_COUNT (1000), MINCEPTION_RANDOM_OPERATION (part of an operation's
/// name; default: all).

#include "tests/kernels/harness.h"
#include "tests/kernels/random_cases.h"

#include "tests/catch.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace minception {

inline std::string random_setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(concat("MINCEPTION_RANDOM_", name).c_str());
  return value == nullptr ? otherwise : value;
}

/// Rounding can exceed the tolerance if an operand with few values cancels. The case is then retried with other values,
/// up to twice.
inline CheckResult check_random_case(Backend& backend, Case drawn, const Precision& precision, const Ways& ways) {
  CheckResult result = check_case(backend, drawn, precision, ways);
  for (int again = 0; again < 2 && !result.passed && result.message.find(" is off by ") != std::string::npos; ++again) {
    drawn.name += ", other values";
    result = check_case(backend, drawn, precision, ways);
  }
  return result;
}

/// `make` creates the backends, anew after every hundred cases because the cpu backend caches its primitives.
template <class Make>
void check_random_cases(Make&& make, const std::vector<Precision>& precisions, const Ways& ways) {
  const std::string operation = random_setting("OPERATION", "");
  const std::uint64_t seed = std::stoull(random_setting("SEED", "1"));
  const std::uint64_t first = std::stoull(random_setting("FIRST", "0"));
  const std::uint64_t count = std::stoull(random_setting("COUNT", "1000"));
  std::vector<std::unique_ptr<Backend>> backends;
  for (std::uint64_t index = first; index < first + count; ++index) {
    if ((index - first) % 100 == 0) backends = make();
    Case drawn = random_case(seed, index, operation);
    drawn.alone =
        concat("MINCEPTION_RANDOM_SEED=", seed, " MINCEPTION_RANDOM_FIRST=", index, " MINCEPTION_RANDOM_COUNT=1",
               operation.empty() ? "" : concat(" MINCEPTION_RANDOM_OPERATION=", operation));
    for (const auto& backend : backends) {
      for (const Precision& precision : precisions) {
        const CheckResult result = check_random_case(*backend, drawn, precision, ways);
        INFO(backend->description() << ": " << drawn.label() << ": " << result.message);
        CHECK(result.passed);
      }
    }
  }
}

}  // namespace minception
