#include <minception/tests/kernels/mutations.h>

#include <algorithm>
#include <cmath>

namespace minception {
namespace {

void add_load_batch(std::vector<Mutation>& m) {
  m.push_back(edited<LoadBatch>("lost shift", [](LoadBatch& op) { op.shift = {0.0f}; }));
  m.push_back(edited<LoadBatch>("scale of the first channel for all", [](LoadBatch& op) { op.scale.resize(1); }));
  m.push_back(mutation<LoadBatch>("samples in order, indices ignored", [](LoadBatch op, Backend& reference) {
    std::vector<std::int32_t> order;
    for (std::int32_t n = 0; n < op.y.n(); ++n) order.push_back(n);
    op.indices.data = order.data();
    reference.run(op);
  }));
  m.push_back(mutation<LoadBatch>("labels not gathered", [](LoadBatch op, Backend& reference) {
    reference.run(op);
    std::copy_n(op.labels.as<std::int32_t>(), op.y.n(), op.y_labels.as<std::int32_t>());
  }));
  m.push_back(mutation<LoadBatch>("corners aligned instead of half-pixel centres", [](LoadBatch op,
                                                                                      Backend& reference) {
    reference.run(op);
    for_each_element(op.y, [&](float& y, auto n, auto c, auto p, auto q) {
      const auto position = [](std::int64_t i, std::int64_t in, std::int64_t out) {
        return out > 1 ? static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1) : 0.0;
      };
      const double h = position(p, op.images.h(), op.y.h());
      const double w = position(q, op.images.w(), op.y.w());
      const auto row = static_cast<std::int64_t>(h);
      const auto column = static_cast<std::int64_t>(w);
      const auto pixel = [&](std::int64_t r, std::int64_t s) {
        return static_cast<double>(at<std::uint8_t>(op.images, op.indices.as<std::int32_t>()[n], c,
                                                    std::min(r, op.images.h() - 1), std::min(s, op.images.w() - 1)));
      };
      const double u = h - static_cast<double>(row);
      const double v = w - static_cast<double>(column);
      const double value = (1 - u) * ((1 - v) * pixel(row, column) + v * pixel(row, column + 1)) +
                           u * ((1 - v) * pixel(row + 1, column) + v * pixel(row + 1, column + 1));
      const auto of = [c](const std::vector<float>& factors) {
        return static_cast<double>(factors[factors.size() == 1 ? 0 : static_cast<std::size_t>(c)]);
      };
      y = static_cast<float>(value * of(op.scale) + of(op.shift));
    });
  }));
  m.push_back(edited<LoadBatch>("pixel stride of y ignored", [](LoadBatch& op) { op.y.pixel_stride = op.y.c(); }));
}

void add_relu(std::vector<Mutation>& m) {
  m.push_back(mutation<ReluForward>("leaky", [](ReluForward op, Backend& reference) {
    const Owned<> x = copied(op.x);
    reference.run(op);
    for_each_element(op.y, [&](float& y, auto n, auto c, auto h, auto w) {
      if (y == 0.0f) y = 0.001f * at(x.tensor(), n, c, h, w);
    });
  }));
  m.push_back(mutation<ReluForward>("absolute value", [](ReluForward op, Backend& reference) {
    const Owned<> x = copied(op.x);
    reference.run(op);
    for_each_element(op.y, [&](float& y, auto n, auto c, auto h, auto w) { y = std::abs(at(x.tensor(), n, c, h, w)); });
  }));
  m.push_back(edited<ReluForward>("pixel stride of x ignored", [](ReluForward& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(edited<ReluForward>("pixel stride of y ignored", [](ReluForward& op) { op.y.pixel_stride = op.y.c(); }));

  m.push_back(mutation<ReluBackward>("own mask lost", [](ReluBackward op, Backend& reference) {
    const Owned<> ones(op.y.shape, [](auto, auto, auto, auto) { return 1.0f; });
    op.y = ones.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<ReluBackward>("mask is y >= 0", [](ReluBackward op, Backend& reference) {
    const Tensor output = op.y;
    const Owned<> passes(output.shape, [&](auto n, auto c, auto h, auto w) { return at(output, n, c, h, w) >= 0.0f; });
    op.y = passes.tensor();
    reference.run(op);
  }));
  m.push_back(edited<ReluBackward>("mask is dy > 0", [](ReluBackward& op) { op.y = op.dy; }));
  add_target_mutations<ReluBackward>(m);
}

void add_concat(std::vector<Mutation>& m) {
  m.push_back(
      edited<ConcatForward>("parts in reverse", [](ConcatForward& op) { std::reverse(op.x.begin(), op.x.end()); }));
  m.push_back(
      edited<ConcatForward>("pixel stride of y ignored", [](ConcatForward& op) { op.y.pixel_stride = op.y.c(); }));
  m.push_back(edited<ConcatForward>("pixel stride of the parts ignored", [](ConcatForward& op) {
    for (Tensor& x : op.x) x.pixel_stride = x.c();
  }));
  m.push_back(edited<ConcatForward>("last part left out", [](ConcatForward& op) {
    if (op.x.size() < 2) return;
    op.y = op.y.channels(0, op.y.c() - op.x.back().c());
    op.x.pop_back();
  }));

  m.push_back(mutation<Split>("channels off by one", [](Split op, Backend& reference) {
    const Tensor dy = op.dy;
    const Owned<> rotated(dy.shape, [&](auto n, auto c, auto h, auto w) { return at(dy, n, (c + 1) % dy.c(), h, w); });
    op.dy = rotated.tensor();
    reference.run(op);
  }));
  add_target_mutations<Split>(m, "the first dx", [](Split& op) -> GradTarget& { return op.targets.front(); });
  add_target_mutations<Split>(m, "the last dx", [](Split& op) -> GradTarget& { return op.targets.back(); });
}

void add_flatten(std::vector<Mutation>& m) {
  m.push_back(mutation<FlattenForward>("(h, w, c) order", [](FlattenForward op, Backend& reference) {
    const Owned<> x = copied(op.x);
    reference.run(op);
    std::copy_n(x.tensor().as<float>(), op.y.elements(), op.y.as<float>());
  }));
  m.push_back(mutation<FlattenForward>("(c, w, h) order", [](FlattenForward op, Backend& reference) {
    reference.run(op);
    for_each_element(op.x, [&](float& x, auto n, auto c, auto h, auto w) {
      op.y.as<float>()[n * op.y.c() + (c * op.x.w() + w) * op.x.h() + h] = x;
    });
  }));
  m.push_back(
      edited<FlattenForward>("pixel stride of x ignored", [](FlattenForward& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(mutation<FlattenBackward>("(h, w, c) order", [](FlattenBackward op, Backend& reference) {
    const Tensor image = op.dy.reshaped(op.target.dx.shape);
    const Owned<> dy(op.dy.shape, [&](auto n, auto i, auto, auto) {
      const std::int64_t h = i / image.w() % image.h();
      return at(image, n, i / (image.h() * image.w()), h, i % image.w());
    });
    op.dy = dy.tensor();
    reference.run(op);
  }));
  add_target_mutations<FlattenBackward>(m);
}

void add_add(std::vector<Mutation>& m) {
  m.push_back(edited<AddForward>("scale ignored", [](AddForward& op) { op.scale = 1.0; }));
  m.push_back(edited<AddForward>("scale on the wrong operand", [](AddForward& op) { std::swap(op.a, op.b); }));
  m.push_back(edited<AddForward>("lost relu", [](AddForward& op) { op.relu = false; }));
  m.push_back(edited<AddForward>("pixel stride of b ignored", [](AddForward& op) { op.b.pixel_stride = op.b.c(); }));
  m.push_back(edited<AddBackward>("scale ignored", [](AddBackward& op) { op.scale = 1.0; }));
  m.push_back(edited<AddBackward>("scale on the wrong gradient", [](AddBackward& op) { std::swap(op.da, op.db); }));
  add_target_mutations<AddBackward>(m, "da", [](AddBackward& op) -> GradTarget& { return op.da; });
  add_target_mutations<AddBackward>(m, "db", [](AddBackward& op) -> GradTarget& { return op.db; });
}

/// The faults in drawing a mask, the same forward and backward.
template <class Op>
void add_dropout_masks(std::vector<Mutation>& m) {
  const auto at_position = [](std::string name, std::int64_t epoch, std::int64_t sample) {
    return mutation<Op>(std::move(name), [=](Op op, Backend& reference) {
      const auto* given = op.position.template as<std::int64_t>();
      std::int64_t position[] = {epoch < 0 ? given[0] : epoch, sample < 0 ? given[1] : sample};
      op.position.data = position;
      reference.run(op);
    });
  };
  m.push_back(at_position("position in the epoch ignored", -1, 0));
  m.push_back(at_position("epoch ignored", 0, -1));
  m.push_back(edited<Op>("stream ignored", [](Op& op) { op.attributes.stream = 0; }));
  m.push_back(edited<Op>("seed cut to 32 bits", [](Op& op) { op.attributes.seed &= 0xffffffffu; }));
  m.push_back(
      edited<Op>("p and 1 - p exchanged", [](Op& op) { op.attributes.p = std::min(1.0 - op.attributes.p, 0.99); }));
}

void add_dropout(std::vector<Mutation>& m) {
  add_dropout_masks<DropoutForward>(m);
  m.push_back(mutation<DropoutForward>("not scaled", [](DropoutForward op, Backend& reference) {
    reference.run(op);
    for_each_element(op.y, [&](float& y, auto, auto, auto, auto) { y *= static_cast<float>(1.0 - op.attributes.p); });
  }));
  add_dropout_masks<DropoutBackward>(m);
  add_target_mutations<DropoutBackward>(m);
}

}  // namespace

std::vector<Mutation> elementwise_mutations() {
  std::vector<Mutation> mutations;
  add_load_batch(mutations);
  add_relu(mutations);
  add_concat(mutations);
  add_flatten(mutations);
  add_add(mutations);
  add_dropout(mutations);
  return mutations;
}

}  // namespace minception
