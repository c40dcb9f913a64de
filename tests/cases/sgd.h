#pragma once
/// Cases of sgd_step.

#include "tests/cases/parameter_groups.h"

namespace minception {

inline std::vector<Case> sgd_cases() {
  using namespace cases;
  std::vector<Case> table;
  for (const GroupTable& t : group_tables()) {
    for (const bool with_momentum : {true, false}) {
      for (const bool nesterov : {false, true}) {
        SgdStep op;
        op.nesterov = nesterov;
        op.groups = t.groups;
        op.schedule = dense(Shape{2});
        op.g = op.w = dense(Shape{t.length});
        if (with_momentum) op.v = dense(Shape{t.length});
        const std::string name =
            std::string(t.name) + (with_momentum ? ", momentum" : "") + (nesterov ? ", nesterov" : "");
        table.push_back({name, op});
        op.factor = dense(Shape{1});
        table.push_back({name + ", clipped", op});
      }
    }
  }
  SgdStep op;
  op.groups = {{0, 1000, 1.0, 1e-2}};
  op.schedule = dense(Shape{2});
  op.g = op.w = op.v = unaligned(Shape{1000});
  table.push_back({"unaligned", op});
  return table;
}

}  // namespace minception
