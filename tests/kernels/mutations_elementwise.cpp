#include "core/random.h"
#include "tests/kernels/mutations.h"

#include <algorithm>
#include <cmath>

namespace minception {
namespace {

/// Faults of operations whose random numbers depend on the position in the epoch.
template <class Op>
void add_position_mutations(std::vector<Mutation>& m) {
  const auto at_position = [](std::string name, std::int64_t epoch, std::int64_t sample) {
    return mutation<Op>(std::move(name), [=](Op op, Backend& reference) {
      if (!op.position.defined()) return reference.run(op);
      const auto* given = op.position.template as<std::int64_t>();
      std::int64_t position[] = {epoch < 0 ? given[0] : epoch, sample < 0 ? given[1] : sample};
      op.position.data = position;
      reference.run(op);
    });
  };
  m.push_back(at_position("position in the epoch ignored", -1, 0));
  m.push_back(at_position("epoch ignored", 0, -1));
}

void add_load_batch(std::vector<Mutation>& m) {
  m.push_back(edited<LoadBatch>("lost shift", [](LoadBatch& op) { op.shift = {0.0f}; }));
  m.push_back(edited<LoadBatch>("scale of the first channel used for all", [](LoadBatch& op) { op.scale.resize(1); }));
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

/// The operation restricted to image n of the batch.
LoadBatch one_image(LoadBatch op, std::int64_t n) {
  op.y = op.y.first(1);
  op.y.data = op.y.as<float>() + n * op.y.h() * op.y.w() * op.y.pixel_stride;
  op.indices = Tensor(Shape{1}, DType::i32, op.indices.as<std::int32_t>() + n);
  op.y_labels = Tensor(Shape{1}, DType::i32, op.y_labels.as<std::int32_t>() + n);
  return op;
}

void add_augmentation(std::vector<Mutation>& m) {
  add_position_mutations<LoadBatch>(m);
  m.push_back(edited<LoadBatch>("stream ignored", [](LoadBatch& op) { op.augmentation.stream = 0; }));
  m.push_back(
      edited<LoadBatch>("seed truncated to 32 bits", [](LoadBatch& op) { op.augmentation.seed &= 0xffffffffu; }));
  m.push_back(edited<LoadBatch>("never flipped", [](LoadBatch& op) { op.augmentation.flip = false; }));
  m.push_back(edited<LoadBatch>("never cropped", [](LoadBatch& op) { op.augmentation.padding = {0, 0}; }));
  m.push_back(edited<LoadBatch>("paddings exchanged", [](LoadBatch& op) {
    auto& [h, w] = op.augmentation.padding;
    if (w < op.y.h() && h < op.y.w()) std::swap(h, w);
  }));
  m.push_back(edited<LoadBatch>("whole image instead of a crop",
                                [](LoadBatch& op) { op.augmentation.scale = op.augmentation.ratio = 1.0; }));
  m.push_back(edited<LoadBatch>("crops always square", [](LoadBatch& op) { op.augmentation.ratio = 1.0; }));
  m.push_back(edited<LoadBatch>("square root of the crop area used as the area",
                                [](LoadBatch& op) { op.augmentation.scale = std::sqrt(op.augmentation.scale); }));
  m.push_back(edited<LoadBatch>("brightness unchanged", [](LoadBatch& op) { op.augmentation.brightness = 0.0; }));
  m.push_back(edited<LoadBatch>("contrast unchanged", [](LoadBatch& op) { op.augmentation.contrast = 0.0; }));
  m.push_back(edited<LoadBatch>("saturation unchanged", [](LoadBatch& op) { op.augmentation.saturation = 0.0; }));
  m.push_back(edited<LoadBatch>("brightness and contrast exchanged", [](LoadBatch& op) {
    std::swap(op.augmentation.brightness, op.augmentation.contrast);
  }));
  m.push_back(mutation<LoadBatch>("colours not clamped to the range of a byte", [](LoadBatch op, Backend& reference) {
    reference.run(op);
    if (op.augmentation.brightness == 0.0) return;
    // Pixels clamped to 255 overshoot by 20.
    for_each_element(op.y, [&](float& y, auto, auto c, auto, auto) {
      const auto of = [&](const std::vector<float>& values) {
        return values[values.size() == 1 ? 0 : static_cast<std::size_t>(c)];
      };
      if (y >= 255.0f * of(op.scale) + of(op.shift)) y += 20.0f * of(op.scale);
    });
  }));
  m.push_back(mutation<LoadBatch>("one draw for the whole batch", [](LoadBatch op, Backend& reference) {
    for (std::int64_t n = 0; n < op.y.n(); ++n) reference.run(one_image(op, n));
  }));
  m.push_back(mutation<LoadBatch>("flipped before cropping", [](LoadBatch op, Backend& reference) {
    reference.run(op);
    if (!op.augmentation.flip) return;
    const auto* position = op.position.as<std::int64_t>();
    const Random random{op.augmentation.seed,
                        std::uint64_t{op.augmentation.stream} << 32 | static_cast<std::uint64_t>(position[0])};
    const Tensor images = op.images;
    const Owned<std::uint8_t> mirrored(images.shape, [&](auto n, auto c, auto h, auto w) {
      return at<std::uint8_t>(images, n, c, h, images.w() - 1 - w);
    });
    for (std::int64_t n = 0; n < op.y.n(); ++n) {
      std::int64_t place[] = {position[0], position[1] + n};
      if ((random.bits(4 * static_cast<std::uint64_t>(place[1]) + 2) & 1) == 0) continue;
      LoadBatch one = one_image(op, n);
      one.images = mirrored.tensor();
      one.augmentation.flip = false;
      one.position.data = place;
      reference.run(one);
    }
  }));
  m.push_back(mutation<LoadBatch>("padded after normalisation", [](LoadBatch op, Backend& reference) {
    reference.run(op);
    LoadBatch white = op;
    const Owned<std::uint8_t> images(op.images.shape, [](auto, auto, auto, auto) { return 255; });
    const Owned<> inside(op.y.shape);
    white.images = images.tensor();
    white.y = inside.tensor();
    white.shift = {0.0f};
    reference.run(white);
    for_each_element(op.y, [&](float& y, auto n, auto c, auto h, auto w) {
      if (at(inside.tensor(), n, c, h, w) == 0.0f) y = 0.0f;
    });
  }));
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

void add_gelu(std::vector<Mutation>& m) {
  m.push_back(mutation<GeluForward>("tanh approximation", [](GeluForward op, Backend& reference) {
    const Owned<> x = copied(op.x);
    reference.run(op);
    for_each_element(op.y, [&](float& y, auto n, auto c, auto h, auto w) {
      const float v = at(x.tensor(), n, c, h, w);
      y = 0.5f * v * (1.0f + std::tanh(0.797884561f * (v + 0.044715f * v * v * v)));
    });
  }));
  m.push_back(edited<GeluForward>("pixel stride of x ignored", [](GeluForward& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(edited<GeluForward>("pixel stride of y ignored", [](GeluForward& op) { op.y.pixel_stride = op.y.c(); }));
  m.push_back(edited<GeluBackward>("slope at dy", [](GeluBackward& op) { op.x = op.dy; }));
  m.push_back(edited<GeluBackward>("dy lost", [](GeluBackward& op) { op.dy = op.x; }));
  add_target_mutations<GeluBackward>(m);
}

void add_concat(std::vector<Mutation>& m) {
  m.push_back(edited<ConcatForward>("inputs in reverse order",
                                    [](ConcatForward& op) { std::reverse(op.x.begin(), op.x.end()); }));
  m.push_back(
      edited<ConcatForward>("pixel stride of y ignored", [](ConcatForward& op) { op.y.pixel_stride = op.y.c(); }));
  m.push_back(edited<ConcatForward>("pixel stride of the inputs ignored", [](ConcatForward& op) {
    for (Tensor& x : op.x) x.pixel_stride = x.c();
  }));
  m.push_back(edited<ConcatForward>("last input left out", [](ConcatForward& op) {
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

void add_fill_and_cast(std::vector<Mutation>& m) {
  m.push_back(edited<Fill>("zero", [](Fill& op) { op.value = 0.0; }));
  m.push_back(edited<Fill>("value truncated to an integer", [](Fill& op) { op.value = std::trunc(op.value); }));
  m.push_back(edited<Fill>("pixel stride ignored", [](Fill& op) { op.y.pixel_stride = op.y.c(); }));
  m.push_back(edited<Fill>("vectors only", [](Fill& op) {
    if (op.y.is_image() && op.y.c() > 4) op.y = op.y.channels(0, op.y.c() / 4 * 4);
  }));
  m.push_back(edited<Fill>("first image only", [](Fill& op) {
    if (op.y.is_image()) op.y = op.y.first(1);
  }));

  m.push_back(edited<Cast>("pixel stride of x ignored", [](Cast& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(edited<Cast>("pixel stride of y ignored", [](Cast& op) { op.y.pixel_stride = op.y.c(); }));
  m.push_back(edited<Cast>("vectors only", [](Cast& op) {
    if (!op.x.is_image() || op.x.c() < 4) return;
    op.x = op.x.channels(0, op.x.c() / 4 * 4);
    op.y = op.y.channels(0, op.x.c());
  }));
  m.push_back(mutation<Cast>("through bf16", [](Cast op, Backend& reference) {
    std::vector<bf16> memory(static_cast<std::size_t>(op.x.elements()));
    Cast down = op;
    down.y = Tensor(op.x.shape, DType::bf16, memory.data());
    reference.run(down);
    op.x = down.y;
    reference.run(op);
  }));
}

/// Faults of the random mask, the same forward and backward.
template <class Op>
void add_dropout_masks(std::vector<Mutation>& m) {
  add_position_mutations<Op>(m);
  m.push_back(edited<Op>("stream ignored", [](Op& op) { op.attributes.stream = 0; }));
  m.push_back(edited<Op>("seed truncated to 32 bits", [](Op& op) { op.attributes.seed &= 0xffffffffu; }));
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
  add_augmentation(mutations);
  add_relu(mutations);
  add_gelu(mutations);
  add_concat(mutations);
  add_flatten(mutations);
  add_add(mutations);
  add_fill_and_cast(mutations);
  add_dropout(mutations);
  return mutations;
}

}  // namespace minception
