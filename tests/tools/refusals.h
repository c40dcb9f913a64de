#pragma once
/// Commands that must be rejected, with their messages.

#include "tests/tools/programs.h"

#include "tests/catch.h"

#include <algorithm>
#include <string>
#include <vector>

namespace minception::testing {

struct Refusal {
  std::string command;
  std::string says;  ///< expected in the line on stderr
};

/// Checks that each command exits with code 1 or 2 and one line on stderr, and changes nothing below the folder.
inline void check_refused(const fs::path& folder, const std::vector<Refusal>& refusals) {
  const auto before = snapshot(folder);
  for (const Refusal& refusal : refusals) {
    const Outcome outcome = run(folder, refusal.command);
    INFO(refusal.command << "\n" << outcome.err);
    CHECK(outcome.code >= 1);
    CHECK(outcome.code <= 2);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_THAT(outcome.err, Catch::Contains(refusal.says));
    CHECK(snapshot(folder) == before);
  }
}

}  // namespace minception::testing
