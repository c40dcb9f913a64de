#pragma once
/// Parameter groups shared by the cases of optimizers and norms.

#include "tests/cases/case.h"

namespace minception::cases {

struct GroupTable {
  const char* name;
  std::int64_t length;
  std::vector<ParameterGroup> groups;
};

inline std::vector<GroupTable> group_tables() {
  return {
      {"one group", 1000, {{0, 1000}}},
      {"weight decay", 500, {{0, 500, 1.0, 5e-2}}},
      {"learning rate scales and decay", 300, {{0, 100, 1.0, 1e-2}, {100, 100, 2.0, 0.0}, {200, 100, 0.5, 3e-2}}},
      {"gaps", 256, {{3, 50, 1.0, 1e-2}, {64, 64, 1.5, 0.0}, {160, 33, 1.0, 1e-2}}},
      {"frozen", 200, {{0, 60, 1.0, 1e-2, false}, {60, 80, 1.0, 1e-2, true}, {140, 60, 1.0, 0.0, false}}},
      {"an empty group", 64, {{0, 30}, {30, 0}, {30, 34, 2.0}}},
      {"one parameter", 1, {{0, 1, 1.0, 1e-2}}},
  };
}

}  // namespace minception::cases
