#pragma once
/// Cases of sgd_step.

#include <minception/tests/cases/case.h>

namespace minception {

inline std::vector<Case> sgd_cases() {
  using namespace cases;
  struct Table {
    const char* name;
    std::int64_t length;
    std::vector<ParameterSegment> segments;
  };
  const Table tables[] = {
      {"one segment", 1000, {{0, 1000}}},
      {"weight decay", 500, {{0, 500, 1.0, 5e-2}}},
      {"learning rate scales and decay", 300, {{0, 100, 1.0, 1e-2}, {100, 100, 2.0, 0.0}, {200, 100, 0.5, 3e-2}}},
      {"gaps", 256, {{3, 50, 1.0, 1e-2}, {64, 64, 1.5, 0.0}, {160, 33, 1.0, 1e-2}}},
      {"frozen", 200, {{0, 60, 1.0, 1e-2, false}, {60, 80, 1.0, 1e-2, true}, {140, 60, 1.0, 0.0, false}}},
      {"an empty segment", 64, {{0, 30}, {30, 0}, {30, 34, 2.0}}},
      {"one parameter", 1, {{0, 1, 1.0, 1e-2}}},
  };
  std::vector<Case> table;
  for (const Table& t : tables) {
    for (const bool with_momentum : {true, false}) {
      for (const bool nesterov : {false, true}) {
        SgdStep op;
        op.nesterov = nesterov;
        op.segments = t.segments;
        op.schedule = dense(Shape{2});
        op.g = op.w = dense(Shape{t.length});
        if (with_momentum) op.v = dense(Shape{t.length});
        table.push_back(
            {std::string(t.name) + (with_momentum ? ", momentum" : "") + (nesterov ? ", nesterov" : ""), op});
      }
    }
  }
  return table;
}

}  // namespace minception
