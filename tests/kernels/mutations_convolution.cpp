#include "tests/kernels/mutations.h"

namespace minception {
namespace {

/// Weights (O, I, KH, KW) with reversed filter positions: mathematical convolution instead of cross-correlation.
Owned<> flipped(const Tensor& w) {
  return Owned<>(w.shape, [&](auto o, auto i, auto r, auto s) { return at(w, o, i, w.h() - 1 - r, w.w() - 1 - s); });
}

/// Weights with kernel rows and columns exchanged, if the kernel is square.
Owned<> transposed(const Tensor& w) {
  return Owned<>(
      w.shape, [&](auto o, auto i, auto r, auto s) { return w.h() == w.w() ? at(w, o, i, s, r) : at(w, o, i, r, s); });
}

/// Every filter replaced by the next one, cyclically.
Owned<> rotated(const Tensor& w) {
  return Owned<>(w.shape, [&](auto o, auto i, auto r, auto s) { return at(w, (o + 1) % w.n(), i, r, s); });
}

/// Weights rounded to bf16: the f32 tolerance must detect that.
Owned<> rounded(const Tensor& w) {
  return Owned<>(w.shape, [&](auto o, auto i, auto r, auto s) { return float(bf16(at(w, o, i, r, s))); });
}

/// (O, I) weights read as if they were (I, O).
Owned<> misread(const Tensor& w) {
  return Owned<>(w.shape, [&](auto o, auto i, auto, auto) { return w.as<float>()[i * w.n() + o]; });
}

void overwrite(const Tensor& to, const Tensor& from) {
  for_each_element(to, [&](float& element, auto n, auto c, auto h, auto w) { element = at(from, n, c, h, w); });
}

/// Sets the stride to 1 and crops or pads x so that y keeps its shape, if possible.
void forget_stride(Conv2dForward& op, Owned<>& storage) {
  const auto extent = [](std::int64_t out, std::int64_t kernel, std::int64_t padding) {
    return out - 1 + kernel - 2 * padding;
  };
  const std::int64_t h = extent(op.y.h(), op.w.h(), op.attributes.padding.h);
  const std::int64_t w = extent(op.y.w(), op.w.w(), op.attributes.padding.w);
  if (h < 1 || w < 1) return;
  const Tensor x = op.x;
  storage =
      Owned<>({x.n(), x.c(), h, w}, [&](auto n, auto c, auto row, auto column) { return at(x, n, c, row, column); });
  op.x = storage.tensor();
  op.attributes.stride = {1, 1};
}

void add_conv2d(std::vector<Mutation>& m) {
  m.push_back(mutation<Conv2dForward>("padding off by one", [](Conv2dForward op, Backend& reference) {
    const Owned<> x = shifted(op.x, 1, 1);
    op.x = x.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Conv2dForward>("filter flipped", [](Conv2dForward op, Backend& reference) {
    const Owned<> w = flipped(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));
  m.push_back(
      mutation<Conv2dForward>("rows and columns of the kernel exchanged", [](Conv2dForward op, Backend& reference) {
        const Owned<> w = transposed(op.w);
        op.w = w.tensor();
        reference.run(op);
      }));
  m.push_back(mutation<Conv2dForward>("weights rounded to bf16", [](Conv2dForward op, Backend& reference) {
    const Owned<> w = rounded(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Conv2dForward>("stride ignored", [](Conv2dForward op, Backend& reference) {
    Owned<> x(Shape{1});
    forget_stride(op, x);
    reference.run(op);
  }));
  m.push_back(edited<Conv2dForward>("lost bias", [](Conv2dForward& op) { op.bias = {}; }));
  m.push_back(edited<Conv2dForward>("lost relu", [](Conv2dForward& op) { op.attributes.relu = false; }));
  m.push_back(edited<Conv2dForward>("relu always", [](Conv2dForward& op) { op.attributes.relu = true; }));
  m.push_back(
      edited<Conv2dForward>("pixel stride of x ignored", [](Conv2dForward& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(
      edited<Conv2dForward>("pixel stride of y ignored", [](Conv2dForward& op) { op.y.pixel_stride = op.y.c(); }));

  m.push_back(mutation<Conv2dBackwardData>("padding off by one", [](Conv2dBackwardData op, Backend& reference) {
    const Owned<> dy = shifted(op.dy, 1, 1);
    op.dy = dy.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Conv2dBackwardData>("filter flipped", [](Conv2dBackwardData op, Backend& reference) {
    const Owned<> w = flipped(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Conv2dBackwardData>("filters of the neighbour", [](Conv2dBackwardData op, Backend& reference) {
    const Owned<> w = rotated(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));
  add_target_mutations<Conv2dBackwardData>(m);

  m.push_back(edited<Conv2dBackwardWeights>("missing +=", [](Conv2dBackwardWeights& op) { op.accumulate = false; }));
  m.push_back(edited<Conv2dBackwardWeights>("always +=", [](Conv2dBackwardWeights& op) { op.accumulate = true; }));
  m.push_back(edited<Conv2dBackwardWeights>("lost dbias", [](Conv2dBackwardWeights& op) { op.dbias = {}; }));
  m.push_back(edited<Conv2dBackwardWeights>("last image left out", [](Conv2dBackwardWeights& op) {
    if (op.x.n() < 2) return;
    op.x = op.x.first(op.x.n() - 1);
    op.dy = op.dy.first(op.x.n());
  }));
  m.push_back(mutation<Conv2dBackwardWeights>("padding off by one", [](Conv2dBackwardWeights op, Backend& reference) {
    const Owned<> x = shifted(op.x, 1, 1);
    op.x = x.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Conv2dBackwardWeights>("filter flipped", [](Conv2dBackwardWeights op, Backend& reference) {
    op.accumulate = false;
    reference.run(op);
    const Owned<> dw = flipped(op.dw);
    overwrite(op.dw, dw.tensor());
  }));
}

void add_group(std::vector<Mutation>& m) {
  using Forward = Conv2dFused1x1Forward;
  using Data = Conv2dFused1x1BackwardData;
  using Weights = Conv2dFused1x1BackwardWeights;
  m.push_back(edited<Forward>("lost bias", [](Forward& op) { op.bias = {}; }));
  m.push_back(edited<Forward>("lost relu", [](Forward& op) { op.relu = false; }));
  m.push_back(edited<Forward>("last member left out", [](Forward& op) {
    if (op.y.size() < 2) return;
    op.w = op.w.first(op.w.n() - op.y.back().c());
    if (op.bias.defined()) op.bias = op.bias.first(op.w.n());
    op.y.pop_back();
  }));
  m.push_back(edited<Forward>("pixel stride of the members ignored", [](Forward& op) {
    for (Tensor& y : op.y) y.pixel_stride = y.c();
  }));
  m.push_back(mutation<Forward>("rows of the neighbour", [](Forward op, Backend& reference) {
    const Owned<> w = rotated(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));

  m.push_back(edited<Data>("last member left out", [](Data& op) {
    if (op.dy.size() < 2) return;
    op.w = op.w.first(op.w.n() - op.dy.back().c());
    op.dy.pop_back();
  }));
  m.push_back(mutation<Data>("rows of the neighbour", [](Data op, Backend& reference) {
    const Owned<> w = rotated(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));
  add_target_mutations<Data>(m);

  m.push_back(edited<Weights>("missing +=", [](Weights& op) { op.accumulate = false; }));
  m.push_back(edited<Weights>("always +=", [](Weights& op) { op.accumulate = true; }));
  m.push_back(edited<Weights>("lost dbias", [](Weights& op) { op.dbias = {}; }));
  m.push_back(edited<Weights>("pixel stride of x ignored", [](Weights& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(mutation<Weights>("rows of the neighbour", [](Weights op, Backend& reference) {
    reference.run(op);
    const Owned<> dw = rotated(op.dw);
    overwrite(op.dw, dw.tensor());
  }));
}

void add_linear(std::vector<Mutation>& m) {
  m.push_back(edited<LinearForward>("lost bias", [](LinearForward& op) { op.bias = {}; }));
  m.push_back(mutation<LinearForward>("weights read as (I, O)", [](LinearForward op, Backend& reference) {
    const Owned<> w = misread(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<LinearForward>("weights rounded to bf16", [](LinearForward op, Backend& reference) {
    const Owned<> w = rounded(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));

  m.push_back(mutation<LinearBackwardData>("weights read as (I, O)", [](LinearBackwardData op, Backend& reference) {
    const Owned<> w = misread(op.w);
    op.w = w.tensor();
    reference.run(op);
  }));
  add_dense_target_mutations<LinearBackwardData>(m, "dx",
                                                 [](LinearBackwardData& op) -> GradTarget& { return op.target; });

  using Weights = LinearBackwardWeights;
  m.push_back(edited<Weights>("missing +=", [](Weights& op) { op.accumulate = false; }));
  m.push_back(edited<Weights>("always +=", [](Weights& op) { op.accumulate = true; }));
  m.push_back(edited<Weights>("lost dbias", [](Weights& op) { op.dbias = {}; }));
  m.push_back(edited<Weights>("last sample left out", [](Weights& op) {
    if (op.x.n() < 2) return;
    op.x = op.x.first(op.x.n() - 1);
    op.dy = op.dy.first(op.x.n());
  }));
}

}  // namespace

std::vector<Mutation> convolution_mutations() {
  std::vector<Mutation> mutations;
  add_conv2d(mutations);
  add_group(mutations);
  add_linear(mutations);
  return mutations;
}

}  // namespace minception
