#pragma once
/// Cases of adam_step. tests/kernels/inputs.cpp derives the step number from beta2: 1 for 0.999, otherwise 12.

#include "tests/cases/parameter_groups.h"

namespace minception {

inline std::vector<Case> adam_cases() {
  using namespace cases;
  std::vector<Case> table;
  const auto add = [&](std::string name, const GroupTable& t, double beta2, double epsilon, bool decoupled,
                       bool clipped, bool aligned = true) {
    AdamStep op;
    op.beta2 = beta2;
    op.epsilon = epsilon;
    op.decoupled = decoupled;
    op.groups = t.groups;
    op.step = dense(Shape{1}, DType::i64);
    op.schedule = dense(Shape{2});
    op.g = op.w = op.m = op.v = aligned ? dense(Shape{t.length}) : unaligned(Shape{t.length});
    if (clipped) op.factor = dense(Shape{1});
    table.push_back({std::move(name), op});
  };
  for (const GroupTable& t : group_tables()) {
    for (const bool decoupled : {false, true}) {
      const std::string name = std::string(t.name) + (decoupled ? ", decoupled" : "");
      add(name, t, 0.99, 1e-3, decoupled, false);
      add(name + ", first step", t, 0.999, 1e-8, decoupled, false);
      add(name + ", clipped", t, 0.9, 1e-8, decoupled, true);
    }
  }
  std::vector<ParameterGroup> many;
  for (std::int64_t k = 0; k < 400; ++k) many.push_back({5 * k, 5, 1.0, k % 2 == 0 ? 1e-2 : 0.0});
  add("more groups than a launch holds", {"", 2000, many}, 0.99, 1e-8, false, false);
  add("unaligned", group_tables().front(), 0.99, 1e-8, false, false, false);
  return table;
}

}  // namespace minception
