#pragma once
/// Cases of clip_coefficient: gradient norms above and below max_norm.

#include "tests/cases/parameter_groups.h"

namespace minception {

inline std::vector<Case> clip_coefficient_cases() {
  using namespace cases;
  std::vector<Case> table;
  const auto add = [&](std::string name, std::int64_t length, std::vector<ParameterGroup> groups, double max_norm) {
    ClipCoefficient op;
    op.max_norm = max_norm;
    op.g = dense(Shape{length});
    op.factor = dense(Shape{1});
    op.groups = std::move(groups);
    table.push_back({std::move(name), op});
  };
  for (const GroupTable& t : group_tables()) {
    add(t.name, t.length, t.groups, 0.5);
    add(std::string(t.name) + ", nothing to clip", t.length, t.groups, 1e4);
  }
  std::vector<ParameterGroup> many;
  for (std::int64_t k = 0; k < 300; ++k) many.push_back({7 * k, 6, 1.0, 0.0, k % 5 != 0});
  add("many groups", 2100, many, 3.0);
  add("a fully connected layer", 100'000, {{0, 99'000}, {99'000, 1000}}, 10.0);
  return table;
}

}  // namespace minception
