#pragma once
/// Cases of group_norms. All elements are finite, so the second value of each result is 0; check_conversions.h tests the
/// count of NaN and infinities.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> group_norms_cases() {
  using namespace cases;
  std::vector<Case> table;
  const auto add = [&](std::string name, std::int64_t length, std::vector<ParameterGroup> groups,
                       bool mostly_zero = false) {
    GroupNorms op;
    op.x = dense(Shape{length});
    op.y = dense({static_cast<std::int64_t>(groups.size()), 2});
    op.groups = std::move(groups);
    table.push_back({std::move(name), op, mostly_zero});
  };
  const auto equal = [](std::int64_t count, std::int64_t each) {
    std::vector<ParameterGroup> groups;
    for (std::int64_t k = 0; k < count; ++k) groups.push_back({k * each, each});
    return groups;
  };
  add("one group", 1000, {{0, 1000}});
  add("a filter and its bias", 2416, {{0, 2400}, {2400, 16}});
  add("gaps", 256, {{0, 50, 1.0, 1e-2}, {64, 64, 1.5, 0.0}, {160, 33, 1.0, 1e-2}});
  add("frozen", 200, {{0, 60, 1.0, 1e-2, false}, {60, 80, 1.0, 1e-2, true}, {140, 60, 1.0, 0.0, false}});
  add("an empty group", 64, {{0, 30}, {30, 0}, {30, 34, 2.0}}, true);
  add("one parameter", 1, {{0, 1}});
  add("many groups", 2100, equal(300, 7));
  add("lengths around a power of two", 24575, {{0, 8191}, {8191, 8192}, {16383, 8192}});
  add("a gap at the beginning", 20000, {{3, 10}, {17, 1}, {18, 19000}});
  add("a fully connected layer", 1 << 20, {{0, (1 << 20) - 1000}, {(1 << 20) - 1000, 1000}});
  return table;
}

}  // namespace minception
