#pragma once
/// Selection of the cases that a test runs.

#include "tests/cases/case.h"

#include <cstdlib>
#include <map>
#include <string>

namespace minception {

/// All cases, or those whose label contains the environment variable MINCEPTION_CASE. The message of a failure gives
/// the value that runs only its case.
inline std::vector<Case> chosen_cases() {
  std::vector<Case> cases = all_cases();
  if (const char* wanted = std::getenv("MINCEPTION_CASE")) {
    std::erase_if(cases, [&](const Case& c) { return c.label().find(wanted) == std::string::npos; });
    require(!cases.empty(), "no case has \"", wanted, "\" in its label; unset MINCEPTION_CASE");
  }
  return cases;
}

/// A few small cases per operation, for checks that run each case many times.
inline std::vector<Case> small_cases() {
  constexpr std::int64_t kElements = 12000;
  constexpr int kPerOperation = 12;
  std::map<std::string, int> taken;
  std::vector<Case> small;
  for (const Case& test_case : all_cases()) {
    std::int64_t elements = 0;
    for_each_operand(test_case.operation,
                     [&](std::string_view, const Tensor& tensor, Access) { elements += tensor.elements(); });
    if (elements <= kElements && taken[std::string(name_of(test_case.operation))]++ < kPerOperation) {
      small.push_back(test_case);
    }
  }
  return small;
}

}  // namespace minception
