#pragma once
/// Cases of clip_factor: norms above what is allowed and below.

#include <minception/tests/cases/segments.h>

namespace minception {

inline std::vector<Case> clip_factor_cases() {
  using namespace cases;
  std::vector<Case> table;
  const auto add = [&](std::string name, std::int64_t length, std::vector<ParameterSegment> segments, double max_norm) {
    ClipFactor op;
    op.max_norm = max_norm;
    op.g = dense(Shape{length});
    op.factor = dense(Shape{1});
    op.segments = std::move(segments);
    table.push_back({std::move(name), op});
  };
  for (const SegmentTable& t : segment_tables()) {
    add(t.name, t.length, t.segments, 0.5);
    add(std::string(t.name) + ", nothing to clip", t.length, t.segments, 1e4);
  }
  std::vector<ParameterSegment> many;
  for (std::int64_t k = 0; k < 300; ++k) many.push_back({7 * k, 6, 1.0, 0.0, k % 5 != 0});
  add("many segments", 2100, many, 3.0);
  add("a fully connected layer", 100'000, {{0, 99'000}, {99'000, 1000}}, 10.0);
  return table;
}

}  // namespace minception
