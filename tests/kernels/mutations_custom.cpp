#include "tests/kernels/mutations.h"

namespace minception {
namespace {

Tensor& input(Custom& op, std::string_view role) {
  for (auto& [name, tensor] : op.inputs) {
    if (name == role) return tensor;
  }
  fail("no input ", role);
}

/// An edit of swish_backward; swish_forward runs correctly.
template <class Edit>
Mutation edited_backward(std::string name, Edit edit) {
  return edited<Custom>(std::move(name), [edit](Custom& op) {
    if (op.target.dx.defined()) edit(op);
  });
}

}  // namespace

std::vector<Mutation> custom_mutations() {
  std::vector<Mutation> m;
  m.push_back(edited<Custom>("always += into dw", [](Custom& op) { op.accumulate = true; }));
  m.push_back(edited<Custom>("missing += of dw", [](Custom& op) { op.accumulate = false; }));
  m.push_back(edited_backward("slope at dy", [](Custom& op) { input(op, "x") = input(op, "dy"); }));
  m.push_back(edited<Custom>("pixel stride of x ignored",
                             [](Custom& op) { input(op, "x").pixel_stride = input(op, "x").c(); }));
  m.push_back(edited_backward("missing += of dx", [](Custom& op) { op.target.accumulate = false; }));
  m.push_back(edited_backward("always += into dx", [](Custom& op) { op.target.accumulate = true; }));
  m.push_back(edited_backward("lost relu mask of dx", [](Custom& op) { op.target.relu_output = {}; }));
  return m;
}

}  // namespace minception
