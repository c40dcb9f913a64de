#pragma once
/// Cases of conv2d_fused_1x1: the first 1x1 convolutions of Inception blocks on 32x32 images (batch 2), and edge cases.

#include "tests/cases/case.h"

#include <numeric>

namespace minception {
namespace cases {

struct GroupShape {
  const char* name;
  Shape x;
  std::vector<std::int64_t> members;
};

inline std::vector<GroupShape> group_shapes() {
  return {
      {"inception3a", {2, 192, 4, 4}, {64, 96, 16}},
      {"inception4b", {2, 512, 2, 2}, {160, 112, 24}},
      {"inception5b", {2, 832, 1, 1}, {384, 192, 48}},
      {"odd channels, odd batch", {3, 13, 3, 5}, {7, 1, 10}},
      {"one member", {2, 16, 4, 4}, {24}},
      {"one channel, batch 1", {1, 1, 4, 3}, {4, 8}},
  };
}

/// Memory of the members: separate tensors, slices of different tensors (like branches), or adjacent slices of one
/// tensor.
enum class Members { separate, slices, adjacent };
inline constexpr Members kMembers[] = {Members::separate, Members::slices, Members::adjacent};

inline std::string suffix(Members members) {
  switch (members) {
    case Members::separate:
      return "";
    case Members::slices:
      return ", member slices";
    case Members::adjacent:
      return ", adjacent members";
  }
  return "";
}

inline std::int64_t group_channels(const GroupShape& s) {
  return std::accumulate(s.members.begin(), s.members.end(), std::int64_t{0});
}

inline std::vector<Tensor> member_tensors(const GroupShape& s, Members members) {
  if (members == Members::adjacent) {
    return adjacent(shared(0, {s.x[0], group_channels(s), s.x[2], s.x[3]}), s.members);
  }
  std::vector<Tensor> tensors;
  for (const std::int64_t channels : s.members) {
    const auto before = static_cast<std::int64_t>(8 * tensors.size());
    const Layout layout = members == Members::slices ? Layout::sliced : Layout::dense;
    tensors.push_back(image({s.x[0], channels, s.x[2], s.x[3]}, layout, before, 5));
  }
  return tensors;
}

inline Case group_forward(const GroupShape& s, bool bias, bool relu, Members members, Layout x) {
  Conv2dFused1x1Forward op;
  op.relu = relu;
  op.x = image(s.x, x, 8, 16);
  op.w = dense({group_channels(s), s.x[1], 1, 1});
  if (bias) op.bias = dense(Shape{group_channels(s)});
  op.y = member_tensors(s, members);
  const std::string name = std::string(s.name) + (bias ? ", bias" : "") + (relu ? ", relu" : "") + suffix(members) +
                           (x == Layout::sliced ? ", x a slice" : "");
  return {name, op, false, relu};
}

inline Case group_backward_data(const GroupShape& s, const TargetVariant& variant, Members members) {
  Conv2dFused1x1BackwardData op;
  op.dy = member_tensors(s, members);
  op.w = dense({group_channels(s), s.x[1], 1, 1});
  op.target = grad_target(s.x, variant.target, variant.layout);
  return {std::string(s.name) + ", " + variant.name + suffix(members), op};
}

inline Case group_backward_weights(const GroupShape& s, bool bias, bool accumulate, Members members, Layout x) {
  Conv2dFused1x1BackwardWeights op;
  op.x = image(s.x, x, 8, 16);
  op.dy = member_tensors(s, members);
  op.dw = dense({group_channels(s), s.x[1], 1, 1});
  if (bias) op.dbias = dense(Shape{group_channels(s)});
  op.accumulate = accumulate;
  return {std::string(s.name) + (bias ? ", bias" : "") + (accumulate ? ", accumulate" : "") + suffix(members) +
              (x == Layout::sliced ? ", x a slice" : ""),
          op};
}

}  // namespace cases

inline std::vector<Case> conv2d_fused_1x1_cases() {
  using namespace cases;
  std::vector<Case> table;
  for (const GroupShape& s : group_shapes()) {
    for (const Members members : kMembers) {
      table.push_back(group_forward(s, false, false, members, Layout::dense));
      table.push_back(group_forward(s, true, true, members, Layout::sliced));
      table.push_back(group_backward_data(s, {Target::overwrite, Layout::dense, "overwrite"}, members));
      table.push_back(group_backward_weights(s, false, false, members, Layout::dense));
      table.push_back(group_backward_weights(s, true, true, members, Layout::sliced));
    }
  }
  const GroupShape varied = {"4x4", {3, 24, 4, 4}, {16, 8, 32}};
  for (const Members members : kMembers) {
    for (const TargetVariant& v : target_variants()) table.push_back(group_backward_data(varied, v, members));
    table.push_back(group_forward(varied, true, false, members, Layout::dense));
    table.push_back(group_backward_weights(varied, true, false, members, Layout::dense));
    table.push_back(group_backward_weights(varied, false, true, members, Layout::dense));
  }
  return table;
}

}  // namespace minception
