#pragma once
/// Cases of add: residual connections, plain and scaled.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> add_cases() {
  using namespace cases;
  const std::pair<const char*, Shape> shapes[] = {
      {"inception-resnet", {2, 320, 4, 4}},
      {"odd channels, odd batch", {3, 13, 5, 3}},
      {"rank 2", {4, 50}},
      {"batch 1", {1, 64, 8, 8}},
  };
  std::vector<Case> table;
  for (const auto& [name, shape] : shapes) {
    for (const double scale : {1.0, 0.17}) {
      const std::string scaled = std::string(name) + (scale == 1.0 ? "" : ", scaled");
      for (const Layout layout : {Layout::dense, Layout::sliced}) {
        for (const bool relu : {false, true}) {
          AddForward op;
          op.scale = scale;
          op.relu = relu;
          op.a = image(shape, layout, 8, 16);
          op.b = image(shape, layout, 1, 2);
          op.y = image(shape, layout, 16, 3);
          table.push_back({scaled + (relu ? ", relu" : "") + (layout == Layout::sliced ? ", slices" : ""), op});
        }
      }
      AddForward in_place;
      in_place.scale = scale;
      in_place.relu = true;
      in_place.a = in_place.y = shared(0, shape);
      in_place.b = dense(shape);
      table.push_back({scaled + ", in place", in_place});

      for (const TargetVariant& v : target_variants()) {
        AddBackward op;
        op.scale = scale;
        op.dy = image(shape, v.layout, 16, 3);
        op.da = grad_target(shape, v.target, v.layout);
        op.db = grad_target(shape, Target::overwrite, v.layout);
        table.push_back({scaled + ", da " + v.name, op});
        std::swap(op.da, op.db);
        table.push_back({scaled + ", db " + v.name, op});
      }
      AddBackward backward_in_place;
      backward_in_place.scale = scale;
      backward_in_place.dy = backward_in_place.da.dx = shared(0, shape);
      backward_in_place.db = grad_target(shape, Target::accumulate);
      table.push_back({scaled + ", da in place", backward_in_place});
    }
  }
  return table;
}

}  // namespace minception
