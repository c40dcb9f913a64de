#include "tests/kernels/random_cases.h"
#include "tests/kernels/random_draw.h"
#include "tests/kernels/swish.h"

#include <utility>

namespace minception {
namespace {

using namespace cases;

// ---- one function per operation; `note` receives the attributes, for the name of the case ---------------------------

struct ConvDrawn {
  Conv2dAttributes attributes;
  Shape x, w, y;
};

ConvDrawn draw_conv(Draw& d, std::string& note) {
  for (;;) {
    const Shape x = d.image_shape();
    const auto extent = [&] { return d.chance(0.4) ? 1 : d.chance(0.4) ? 3 : d.between(1, 7); };
    const std::int64_t kernel = extent();
    const Extent2d size = d.chance(0.8) ? Extent2d{kernel, kernel} : Extent2d{extent(), extent()};
    const std::int64_t stride = d.chance(0.5) ? 1 : d.between(2, 4);
    Conv2dAttributes a;
    a.stride = d.chance(0.75) ? Extent2d{stride, stride} : Extent2d{d.between(1, 3), d.between(1, 3)};
    if (d.chance(0.6)) a.padding = {size.h / 2, size.w / 2};
    if (d.chance(0.15)) a.padding = {d.between(0, size.h), d.between(0, size.w)};
    const Shape w = {d.channels(), x[1], size.h, size.w};
    const Shape y = {x[0], w[0], convolved_extent(x[2], size.h, a.stride.h, a.padding.h),
                     convolved_extent(x[3], size.w, a.stride.w, a.padding.w)};
    if (y.elements() == 0 || y.elements() * x[1] * size.h * size.w > kMostProducts) continue;
    note = concat(" stride ", a.stride.h, "x", a.stride.w, " padding ", a.padding.h, "x", a.padding.w);
    return {a, x, w, y};
  }
}

void draw(Draw& d, LoadBatch& op, std::string& note) {
  const Extent2d size = d.pixels();
  const std::int64_t channels = d.chance(0.5) ? 3 : d.between(1, 4);
  op.images = dense({d.between(1, 12), channels, size.h, size.w}, DType::u8);
  const Extent2d result = d.chance(0.4) ? size : d.pixels();
  const Shape y = {d.between(1, kMostBatch), channels, result.h, result.w};
  op.labels = dense(Shape{op.images.n()}, DType::i32);
  op.indices = dense(Shape{y[0]}, DType::i32);
  op.y = d.image(y);
  op.y_labels = dense(Shape{y[0]}, DType::i32);
  const auto factors = [&] { return std::vector<float>(d.chance(0.5) ? 1 : static_cast<std::size_t>(channels)); };
  op.scale = factors();
  op.shift = factors();
  for (float& value : op.scale) value = 0.001f * static_cast<float>(d.between(1, 40));
  for (float& value : op.shift) value = 0.1f * static_cast<float>(d.between(-20, 20));
  Augmentation& a = op.augmentation;
  a.seed = static_cast<std::uint64_t>(d.between(0, 1000));
  a.flip = d.chance(0.4);
  if (d.chance(0.3)) a.padding = {d.between(0, result.h - 1), d.between(0, result.w - 1)};
  if (a.padding == Extent2d{0, 0} && d.chance(0.3)) a.scale = 0.1;
  if (a.padding == Extent2d{0, 0} && d.chance(0.3)) a.ratio = 1.5;
  if (d.chance(0.2)) a.brightness = a.contrast = 0.4;
  if (channels == 3 && d.chance(0.2)) a.saturation = 0.4;
  if (a.random()) op.position = dense(Shape{2}, DType::i64);
  note = concat(" padding ", a.padding.h, "x", a.padding.w, " flip ", a.flip, " scale ", a.scale, " ratio ", a.ratio,
                " jitter ", a.brightness, " ", a.saturation);
}
void draw(Draw& d, Conv2dForward& op, std::string& note) {
  const ConvDrawn c = draw_conv(d, note);
  op.attributes = c.attributes;
  op.attributes.relu = d.chance(0.4);
  op.x = d.image(c.x);
  op.w = dense(c.w);
  op.bias = d.optional_vector(c.w[0]);
  op.y = d.image(c.y);
  if (op.attributes.relu) note += " relu";
}
void draw(Draw& d, Conv2dBackwardData& op, std::string& note) {
  const ConvDrawn c = draw_conv(d, note);
  op.attributes = c.attributes;
  op.dy = d.image(c.y);
  op.w = dense(c.w);
  op.target = d.target(c.x);
}
void draw(Draw& d, Conv2dBackwardWeights& op, std::string& note) {
  const ConvDrawn c = draw_conv(d, note);
  op.attributes = c.attributes;
  op.x = d.image(c.x);
  op.dy = d.image(c.y);
  op.dw = dense(c.w);
  op.dbias = d.optional_vector(c.w[0]);
  op.accumulate = d.chance(0.4);
}

struct GroupDrawn {
  Shape x, w;
  std::vector<Tensor> members;
};
GroupDrawn draw_group(Draw& d) {
  const Shape x = d.image_shape();
  std::vector<std::int64_t> channels(static_cast<std::size_t>(d.between(1, 4)));
  std::int64_t sum = 0;
  for (std::int64_t& count : channels) sum += count = d.between(1, 40);
  GroupDrawn drawn{x, {sum, x[1], 1, 1}, {}};
  if (d.chance(0.3)) {
    drawn.members = adjacent(shared(0, {x[0], sum, x[2], x[3]}), channels);
  } else {
    for (const std::int64_t count : channels) drawn.members.push_back(d.image({x[0], count, x[2], x[3]}));
  }
  return drawn;
}
void draw(Draw& d, Conv2dFused1x1Forward& op, std::string& note) {
  const GroupDrawn g = draw_group(d);
  op.relu = d.chance(0.4);
  op.x = d.image(g.x);
  op.w = dense(g.w);
  op.bias = d.optional_vector(g.w[0]);
  op.y = g.members;
  if (op.relu) note = " relu";
}
void draw(Draw& d, Conv2dFused1x1BackwardData& op, std::string&) {
  const GroupDrawn g = draw_group(d);
  op.dy = g.members;
  op.w = dense(g.w);
  op.target = d.target(g.x);
}
void draw(Draw& d, Conv2dFused1x1BackwardWeights& op, std::string&) {
  const GroupDrawn g = draw_group(d);
  op.x = d.image(g.x);
  op.dy = g.members;
  op.dw = dense(g.w);
  op.dbias = d.optional_vector(g.w[0]);
  op.accumulate = d.chance(0.4);
}

void draw(Draw& d, LinearForward& op, std::string&) {
  const std::int64_t n = d.between(1, 40), in = d.between(1, 300), out = d.between(1, 300);
  op.x = dense({n, in});
  op.w = dense({out, in});
  op.bias = d.optional_vector(out);
  op.y = dense({n, out});
}
void draw(Draw& d, LinearBackwardData& op, std::string&) {
  const std::int64_t n = d.between(1, 40), in = d.between(1, 300), out = d.between(1, 300);
  op.dy = dense({n, out});
  op.w = dense({out, in});
  op.target = d.target({n, in});
  op.target.dx = dense({n, in});
}
void draw(Draw& d, LinearBackwardWeights& op, std::string&) {
  const std::int64_t n = d.between(1, 40), in = d.between(1, 300), out = d.between(1, 300);
  op.x = dense({n, in});
  op.dy = dense({n, out});
  op.dw = dense({out, in});
  op.dbias = d.optional_vector(out);
  op.accumulate = d.chance(0.4);
}

/// Operations on one image shape, sometimes in place.
template <class Op>
void draw_forward(Draw& d, Op& op) {
  const Shape shape = d.any_image_shape();
  op.x = d.image(shape);
  op.y = d.image(shape);
  if (d.chance(0.2)) op.x = op.y = shared(0, shape);
}
template <class Op>
void draw_backward(Draw& d, Op& op, Shape shape) {
  op.dy = d.image(shape);
  op.target = d.target(shape);
  if (d.chance(0.2)) {
    op.dy = op.target.dx = shared(0, shape);
    op.target.accumulate = false;
  }
}
/// Activations: y from x; dx from dy and the saved x or y.
template <class Op>
requires requires(Op& op) { op.x, op.y; }
void draw(Draw& d, Op& op, std::string&) { draw_forward(d, op); }
template <class Op>
requires requires(Op& op) { op.dy, op.target; }
void draw(Draw& d, Op& op, std::string&) {
  const Shape shape = d.any_image_shape();
  if constexpr (requires { op.x; }) {
    op.x = d.image(shape);
  } else {
    op.y = d.image(shape);
  }
  draw_backward(d, op, shape);
}

Shape draw_pool(Draw& d, Pool2dAttributes& a, Shape& y, std::string& note) {
  for (;;) {
    const Shape x = d.image_shape();
    a.kernel = d.chance(0.4) ? Extent2d{3, 3} : Extent2d{d.between(1, 7), d.between(1, 7)};
    a.stride = d.chance(0.5) ? Extent2d{2, 2} : Extent2d{d.between(1, 4), d.between(1, 4)};
    a.padding = d.chance(0.5) ? Extent2d{0, 0} : Extent2d{d.between(0, a.kernel.h / 2), d.between(0, a.kernel.w / 2)};
    a.ceil_mode = d.chance(0.5);
    a.count_include_pad = d.chance(0.5);
    y = {x[0], x[1], pooled_extent(x[2], a.kernel.h, a.stride.h, a.padding.h, a.ceil_mode),
         pooled_extent(x[3], a.kernel.w, a.stride.w, a.padding.w, a.ceil_mode)};
    if (y.elements() == 0) continue;
    note =
        concat(" kernel ", a.kernel.h, "x", a.kernel.w, " stride ", a.stride.h, "x", a.stride.w, " padding ",
               a.padding.h, "x", a.padding.w, a.ceil_mode ? " ceil" : "", a.count_include_pad ? " padding counts" : "");
    return x;
  }
}
template <class Op>
void draw_pool_forward(Draw& d, Op& op, std::string& note) {
  Shape y;
  op.x = d.image(draw_pool(d, op.attributes, y, note));
  op.y = d.image(y);
}
template <class Op>
void draw_pool_backward(Draw& d, Op& op, std::string& note) {
  Shape y;
  op.target = d.target(draw_pool(d, op.attributes, y, note));
  op.dy = d.image(y);
}
void draw(Draw& d, MaxPool2dForward& op, std::string& note) {
  draw_pool_forward(d, op, note);
  if (d.chance(0.7)) op.argmax = dense(op.y.shape, DType::u8);
}
void draw(Draw& d, MaxPool2dBackward& op, std::string& note) {
  draw_pool_backward(d, op, note);
  op.argmax = dense(op.dy.shape, DType::u8);
}
void draw(Draw& d, AvgPool2dForward& op, std::string& note) { draw_pool_forward(d, op, note); }
void draw(Draw& d, AvgPool2dBackward& op, std::string& note) { draw_pool_backward(d, op, note); }

/// Pools without a window: `output` draws the shape of y for that of x.
using OutputShape = Shape (*)(Draw& d, Shape x);
template <class Op>
void draw_forward(Draw& d, Op& op, OutputShape output) {
  const Shape x = d.image_shape();
  op.x = d.image(x);
  op.y = d.image(output(d, x));
}
template <class Op>
void draw_backward(Draw& d, Op& op, OutputShape output) {
  const Shape x = d.image_shape();
  op.dy = d.image(output(d, x));
  op.target = d.target(x);
}
Shape adaptive_output(Draw& d, Shape x) { return {x[0], x[1], d.between(1, 12), d.between(1, 12)}; }
Shape global_output(Draw& d, Shape x) { return d.chance(0.5) ? Shape{x[0], x[1]} : Shape{x[0], x[1], 1, 1}; }
void draw(Draw& d, AdaptiveAvgPool2dForward& op, std::string&) { draw_forward(d, op, adaptive_output); }
void draw(Draw& d, AdaptiveAvgPool2dBackward& op, std::string&) { draw_backward(d, op, adaptive_output); }
void draw(Draw& d, GlobalAvgPoolForward& op, std::string&) { draw_forward(d, op, global_output); }
void draw(Draw& d, GlobalAvgPoolBackward& op, std::string&) { draw_backward(d, op, global_output); }

void draw(Draw& d, ConcatForward& op, std::string&) {
  const Shape first = d.image_shape();
  std::int64_t sum = 0;
  for (std::int64_t k = d.between(1, 5); k > 0; --k) {
    const std::int64_t channels = d.between(1, 40);
    sum += channels;
    op.x.push_back(d.image({first[0], channels, first[2], first[3]}));
  }
  op.y = d.image({first[0], sum, first[2], first[3]});
}
void draw(Draw& d, Split& op, std::string&) {
  const Shape first = d.image_shape();
  std::int64_t sum = 0;
  for (std::int64_t k = d.between(1, 5); k > 0; --k) {
    const std::int64_t channels = d.between(1, 40);
    sum += channels;
    op.targets.push_back(d.target({first[0], channels, first[2], first[3]}));
  }
  op.dy = d.image({first[0], sum, first[2], first[3]});
}
Shape flat_shape(Shape x) { return {x[0], x[1] * x[2] * x[3]}; }
void draw(Draw& d, FlattenForward& op, std::string&) {
  const Shape x = d.image_shape();
  op.x = d.image(x);
  op.y = dense(flat_shape(x));
}
void draw(Draw& d, FlattenBackward& op, std::string&) {
  const Shape x = d.image_shape();
  op.dy = dense(flat_shape(x));
  op.target = d.target(x);
}
void draw(Draw& d, AddForward& op, std::string& note) {
  const Shape shape = d.any_image_shape();
  op.scale = d.chance(0.5) ? 1.0 : 0.17;
  op.relu = d.chance(0.4);
  op.a = d.image(shape);
  op.b = d.image(shape);
  op.y = d.image(shape);
  if (d.chance(0.2)) op.a = op.y = shared(0, shape);
  note = concat(" scale ", op.scale, op.relu ? " relu" : "");
}
void draw(Draw& d, AddBackward& op, std::string& note) {
  const Shape shape = d.any_image_shape();
  op.scale = d.chance(0.5) ? 1.0 : 0.17;
  op.dy = d.image(shape);
  op.da = d.target(shape);
  op.db = d.target(shape);
  note = concat(" scale ", op.scale);
}
void draw(Draw& d, Fill& op, std::string& note) {
  op.value = 0.5 * static_cast<double>(d.between(-4, 4)) - 0.1;
  op.y = d.chance(0.2) ? dense(Shape{d.length()}) : d.bf16_or_f32(d.any_image_shape());
  note = concat(" ", op.value);
}
void draw(Draw& d, Cast& op, std::string&) {
  const Shape shape = d.any_image_shape();
  op.x = d.bf16_or_f32(shape);
  op.y = d.bf16_or_f32(shape);
}

/// At least 16 values per channel: statistics of fewer are ill-conditioned because of cancellation.
Shape normalised_shape(Draw& d) {
  for (;;) {
    const Shape shape = d.image_shape();
    if (shape[0] * shape[2] * shape[3] >= 16) return shape;
  }
}
void draw(Draw& d, BatchNormForwardTraining& op, std::string& note) {
  const Shape shape = normalised_shape(d);
  op.attributes = {d.one_of({1e-5, 1e-3, 0.5}), d.one_of({0.0, 0.1, 0.7, 1.0}), d.chance(0.4)};
  op.x = d.image(shape);
  op.y = d.image(shape);
  op.gamma = op.beta = op.running_mean = op.running_var = op.mean = op.rstd = dense(Shape{shape[1]});
  note = concat(" epsilon ", op.attributes.epsilon, " momentum ", op.attributes.momentum,
                op.attributes.relu ? " relu" : "");
}
void draw(Draw& d, BatchNormForwardInference& op, std::string& note) {
  op.attributes = {d.one_of({1e-5, 1e-3, 0.5}), 0.1, d.chance(0.4)};
  draw_forward(d, op);
  op.gamma = op.beta = op.running_mean = op.running_var = dense(Shape{op.x.c()});
  note = concat(" epsilon ", op.attributes.epsilon, op.attributes.relu ? " relu" : "");
}
void draw(Draw& d, BatchNormBackward& op, std::string& note) {
  const Shape shape = normalised_shape(d);
  op.x = d.image(shape);
  draw_backward(d, op, shape);
  op.gamma = op.mean = op.rstd = op.dgamma = op.dbeta = dense(Shape{shape[1]});
  op.accumulate = d.chance(0.4);
  if (op.accumulate) note = " accumulate";
}
void draw(Draw& d, BatchNormBackwardInference& op, std::string&) {
  const Shape shape = d.any_image_shape();
  draw_backward(d, op, shape);
  op.gamma = op.running_var = dense(Shape{shape[1]});
}
void draw(Draw& d, FoldBatchNorm& op, std::string&) {
  op.w = op.folded_w = dense({d.channels(), d.channels(), d.between(1, 5), d.between(1, 5)});
  op.gamma = op.beta = op.running_mean = op.running_var = op.folded_bias = dense(Shape{op.w.n()});
}
LocalResponseNormAttributes draw_response_norm(Draw& d, std::string& note) {
  const LocalResponseNormAttributes a = {d.between(1, 9), d.one_of({1e-4, 0.1, 1.0}), d.one_of({0.5, 0.75, 1.3}),
                                         d.one_of({1.0, 2.0})};
  note = concat(" size ", a.size, " alpha ", a.alpha, " beta ", a.beta, " k ", a.k);
  return a;
}
void draw(Draw& d, LocalResponseNormForward& op, std::string& note) {
  op.attributes = draw_response_norm(d, note);
  const Shape shape = d.image_shape();
  op.x = d.image(shape);
  op.y = d.image(shape);
}
void draw(Draw& d, LocalResponseNormBackward& op, std::string& note) {
  op.attributes = draw_response_norm(d, note);
  const Shape shape = d.image_shape();
  op.x = d.image(shape);
  op.dy = d.image(shape);
  op.target = d.target(shape);
}
void draw(Draw& d, DropoutForward& op, std::string& note) {
  op.attributes = {0.1 * static_cast<double>(d.between(0, 9)), static_cast<std::uint64_t>(d.between(0, 99)), 3};
  op.position = dense(Shape{2}, DType::i64);
  draw_forward(d, op);
  note = concat(" p ", op.attributes.p);
}
void draw(Draw& d, DropoutBackward& op, std::string& note) {
  op.attributes = {0.1 * static_cast<double>(d.between(0, 9)), static_cast<std::uint64_t>(d.between(0, 99)), 3};
  op.position = dense(Shape{2}, DType::i64);
  draw_backward(d, op, d.any_image_shape());
  note = concat(" p ", op.attributes.p);
}

void draw(Draw& d, SoftmaxCrossEntropy& op, std::string& note) {
  const std::int64_t n = d.between(1, 40), classes = d.chance(0.2) ? d.between(1, 2000) : d.between(2, 100);
  op.label_smoothing = d.one_of({0.0, 0.1, 1.0});
  op.weight = d.one_of({1.0, 0.3});
  op.divisor = static_cast<double>(d.between(1, 40));
  op.logits = dense({n, classes});
  op.labels = dense(Shape{n}, DType::i32);
  op.metrics = dense(Shape{2});
  if (d.chance(0.7)) op.dlogits = dense({n, classes});
  note = concat(" smoothing ", op.label_smoothing, " weight ", op.weight, " divisor ", op.divisor);
}
void draw(Draw& d, SgdStep& op, std::string& note) {
  const Tensor buffer = dense(Shape{d.length()});
  op.nesterov = d.chance(0.5);
  op.groups = d.groups(buffer.shape[0]);
  op.schedule = dense(Shape{2});
  op.g = op.w = buffer;
  if (d.chance(0.7)) op.v = buffer;
  op.factor = d.optional_vector(1);
  note = concat(op.nesterov ? " nesterov" : "", " groups ", op.groups.size());
}
void draw(Draw& d, AdamStep& op, std::string& note) {
  const Tensor buffer = dense(Shape{d.length()});
  op.beta2 = d.one_of({0.0, 0.3, 0.9, 0.99, 0.999});
  op.epsilon = d.one_of({1e-8, 1e-3});
  op.decoupled = d.chance(0.5);
  // The step is then m / (|g + decay w| + epsilon): a large epsilon limits the error where the sum cancels in f32.
  if (op.beta2 == 0.0 && !op.decoupled) op.epsilon = 1e-3;
  op.groups = d.groups(buffer.shape[0]);
  op.step = dense(Shape{1}, DType::i64);
  op.schedule = dense(Shape{2});
  op.g = op.w = op.m = op.v = buffer;
  op.factor = d.optional_vector(1);
  note = concat(" beta2 ", op.beta2, op.decoupled ? " decoupled" : "", " groups ", op.groups.size());
}
void draw(Draw& d, ClipCoefficient& op, std::string& note) {
  op.max_norm = d.one_of({1e-3, 1.0, 1e5});
  op.g = dense(Shape{d.length()});
  op.factor = dense(Shape{1});
  op.groups = d.groups(op.g.shape[0]);
  note = concat(" max_norm ", op.max_norm, " groups ", op.groups.size());
}
void draw(Draw& d, EmaUpdate& op, std::string& note) {
  op.decay = d.one_of({0.0, 0.3, 0.5, 0.9, 1.0});
  op.step = dense(Shape{1}, DType::i64);
  op.w = op.average = dense(Shape{d.length()});
  note = concat(" decay ", op.decay);
}
void draw(Draw& d, GroupNorms& op, std::string& note) {
  op.x = dense(Shape{d.length()});
  op.groups = d.groups(op.x.shape[0]);
  op.y = dense({static_cast<std::int64_t>(op.groups.size()), 2});
  note = concat(" groups ", op.groups.size());
}

void draw(Draw& d, Custom& op, std::string&) {
  const Shape shape = d.any_image_shape();
  const Tensor w = dense(Shape{shape[1]});
  if (d.chance(0.3)) {
    op = swish_forward(d.image(shape), w, d.image(shape));
  } else {
    op = swish_backward(d.image(shape), w, d.image(shape), w, d.target(shape));
    op.accumulate = d.chance(0.4);
  }
}

template <class Op>
Operation drawn(Draw& d, std::string& note) {
  Op op;
  draw(d, op, note);
  return op;
}

template <std::size_t... I>
Operation draw_operation(std::size_t index, Draw& d, std::string& note, std::index_sequence<I...>) {
  using Function = Operation (*)(Draw&, std::string&);
  constexpr Function kFunctions[] = {drawn<std::variant_alternative_t<I, Operation>>...};
  return kFunctions[index](d, note);
}

/// The variants of Operation, by index, whose name contains `part`.
template <std::size_t... I>
std::vector<std::size_t> operations_with(std::string_view part, std::index_sequence<I...>) {
  std::vector<std::size_t> found;
  for (const auto& [index, name] : {std::pair{I, name_of(Operation(std::variant_alternative_t<I, Operation>()))}...}) {
    if (name.find(part) != std::string_view::npos) found.push_back(index);
  }
  return found;
}

}  // namespace

Case random_case(std::uint64_t seed, std::uint64_t index, std::string_view operation) {
  constexpr auto kAll = std::make_index_sequence<std::variant_size_v<Operation>>();
  const std::vector<std::size_t> chosen = operations_with(operation, kAll);
  require(!chosen.empty(), "no operation has \"", operation, "\" in its name");
  Draw d(seed, index);
  Case result;
  std::string note;
  const std::int64_t which = d.between(0, static_cast<std::int64_t>(chosen.size()) - 1);
  result.operation = draw_operation(chosen[static_cast<std::size_t>(which)], d, note, kAll);
  result.mostly_zero = true;
  result.name = concat("random ", seed, ".", index, note);
  for_each_operand(result.operation, [&](std::string_view role, const Tensor& tensor, Access access) {
    result.name += concat(" ", role, tensor.shape, tensor.dense() ? "" : concat("/", tensor.pixel_stride),
                          role == "dx" && access == Access::read_write ? "+" : "");
  });
  return result;
}

}  // namespace minception
