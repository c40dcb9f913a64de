#pragma once
/// Cases of concat and of split, its backward pass.

#include "tests/cases/case.h"

#include <numeric>

namespace minception {

inline std::vector<Case> concat_cases() {
  using namespace cases;
  struct ConcatShape {
    const char* name;
    Shape pixels;  ///< (N, any, H, W)
    std::vector<std::int64_t> channels;
  };
  const ConcatShape shapes[] = {
      {"inception3a", {2, 0, 4, 4}, {64, 128, 32, 32}},
      {"inception5b", {2, 0, 1, 1}, {384, 384, 128, 128}},
      {"one part", {2, 0, 3, 3}, {24}},
      {"odd channels, odd batch", {3, 0, 5, 2}, {13, 7, 30}},
      {"batch 1", {1, 0, 6, 6}, {16, 8}},
  };
  std::vector<Case> table;
  for (const ConcatShape& s : shapes) {
    const auto with_channels = [&](std::int64_t channels) {
      return Shape{s.pixels[0], channels, s.pixels[2], s.pixels[3]};
    };
    const Shape whole = with_channels(std::accumulate(s.channels.begin(), s.channels.end(), std::int64_t{0}));
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      ConcatForward op;
      std::int64_t before = 8;
      for (const std::int64_t channels : s.channels) {
        op.x.push_back(image(with_channels(channels), layout, before, 16));
        before += 3;
      }
      op.y = image(whole, layout, 16, 3);
      table.push_back({std::string(s.name) + (layout == Layout::sliced ? ", slices" : ""), op});
    }
    for (const TargetVariant& v : target_variants()) {
      Split op;
      op.dy = image(whole, v.layout, 16, 3);
      for (const std::int64_t channels : s.channels) {
        op.targets.push_back(grad_target(with_channels(channels), v.target, v.layout));
      }
      table.push_back({std::string(s.name) + ", " + v.name, op});
    }
  }
  Split mixed;
  mixed.dy = slice({2, 40, 3, 3}, 4, 4);
  mixed.targets = {grad_target({2, 16, 3, 3}, Target::accumulate_mask, Layout::sliced),
                   grad_target({2, 8, 3, 3}, Target::overwrite), grad_target({2, 16, 3, 3}, Target::mask)};
  table.push_back({"different targets", mixed});
  return table;
}

}  // namespace minception
