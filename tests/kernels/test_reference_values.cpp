/// Convolutions, pools and element-wise operations on numbers small enough to be computed by hand.

#include "tests/kernels/by_hand.h"
#include "tests/kernels/swish.h"

namespace minception {

using namespace by_hand;

TEST_CASE("conv2d by hand") {
  Numbers x = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w = {1, 2, 3, 4}, bias = {10}, y(4);
  Conv2dForward forward;
  forward.x = view(x, {1, 1, 3, 3});
  forward.w = view(w, {1, 1, 2, 2});
  forward.bias = view(bias, Shape{1});
  forward.y = view(y, {1, 1, 2, 2});
  run(forward);
  CHECK_THAT(y, is({47, 57, 77, 87}));
  bias[0] = -60;
  forward.attributes.relu = true;
  run(forward);
  CHECK_THAT(y, is({0, 0, 7, 17}));

  Numbers dy = {1, 0, 0, 1}, dx(9);
  Conv2dBackwardData data;
  data.dy = view(dy, {1, 1, 2, 2});
  data.w = forward.w;
  data.target.dx = view(dx, {1, 1, 3, 3});
  run(data);
  CHECK_THAT(dx, is({1, 2, 0, 3, 5, 2, 0, 3, 4}));

  Numbers dw(4, 100), dbias(1, 100);
  Conv2dBackwardWeights weights;
  weights.x = forward.x;
  weights.dy = data.dy;
  weights.dw = view(dw, {1, 1, 2, 2});
  weights.dbias = view(dbias, Shape{1});
  run(weights);
  CHECK_THAT(dw, is({6, 8, 12, 14}));
  CHECK_THAT(dbias, is({2}));
  weights.accumulate = true;
  run(weights);
  CHECK_THAT(dw, is({12, 16, 24, 28}));
  CHECK_THAT(dbias, is({4}));
}

TEST_CASE("conv2d by hand: padding and stride and channels") {
  Numbers x = {1, 10, 2, 20, 3, 30, 4, 40}, y(2);  // two channels: 1..4 and ten times that
  Numbers w(2 * 2 * 3 * 3, 0.0);
  for (int position = 0; position < 9; ++position)
    w[static_cast<std::size_t>(2 * position)] = 1.0;  // filter 0 sums channel 0
  w[18 + 2 * 4 + 1] = 1.0;                            // filter 1: channel 1 at the centre
  Conv2dForward op;
  op.attributes = {{2, 2}, {1, 1}, false};
  op.x = view(x, {1, 2, 2, 2});
  op.w = view(w, {2, 2, 3, 3});
  op.y = view(y, {1, 2, 1, 1});
  run(op);
  CHECK_THAT(y, is({10, 10}));
}

TEST_CASE("conv2d_fused_1x1 by hand") {
  Numbers x = {1, 2}, w = {1, 0, 0, 1, 1, 1}, bias = {0, 0, -5}, first(1), second(2);
  Conv2dFused1x1Forward forward;
  forward.x = view(x, {1, 2, 1, 1});
  forward.w = view(w, {3, 2, 1, 1});
  forward.bias = view(bias, Shape{3});
  forward.y = {view(first, {1, 1, 1, 1}), view(second, {1, 2, 1, 1})};
  run(forward);
  CHECK_THAT(first, is({1}));
  CHECK_THAT(second, is({2, -2}));

  Numbers dy0 = {1}, dy1 = {10, 100}, dx(2);
  Conv2dFused1x1BackwardData data;
  data.dy = {view(dy0, {1, 1, 1, 1}), view(dy1, {1, 2, 1, 1})};
  data.w = forward.w;
  data.target.dx = view(dx, {1, 2, 1, 1});
  run(data);
  CHECK_THAT(dx, is({101, 110}));

  Numbers dw(6), dbias(3);
  Conv2dFused1x1BackwardWeights weights;
  weights.x = forward.x;
  weights.dy = data.dy;
  weights.dw = view(dw, {3, 2, 1, 1});
  weights.dbias = view(dbias, Shape{3});
  run(weights);
  CHECK_THAT(dw, is({1, 2, 10, 20, 100, 200}));
  CHECK_THAT(dbias, is({1, 10, 100}));
}

TEST_CASE("linear by hand") {
  Numbers x = {1, 2}, w = {1, 2, 3, 4, 5, 6}, bias = {0.5, -0.5, 0}, y(3);
  LinearForward forward;
  forward.x = view(x, {1, 2});
  forward.w = view(w, {3, 2});
  forward.bias = view(bias, Shape{3});
  forward.y = view(y, {1, 3});
  run(forward);
  CHECK_THAT(y, is({5.5, 10.5, 17}));

  Numbers dy = {1, 10, 100}, dx(2), dw(6), dbias(3);
  LinearBackwardData data;
  data.dy = view(dy, {1, 3});
  data.w = forward.w;
  data.target.dx = view(dx, {1, 2});
  run(data);
  CHECK_THAT(dx, is({531, 642}));
  LinearBackwardWeights weights;
  weights.x = forward.x;
  weights.dy = data.dy;
  weights.dw = view(dw, {3, 2});
  weights.dbias = view(dbias, Shape{3});
  run(weights);
  CHECK_THAT(dw, is({1, 2, 10, 20, 100, 200}));
  CHECK_THAT(dbias, is({1, 10, 100}));
}

TEST_CASE("relu by hand with NaN") {
  Numbers x = {-1, 0, 2, kNaN, -kInfinity, kInfinity}, y(6);
  ReluForward forward;
  forward.x = view(x, {1, 6});
  forward.y = view(y, {1, 6});
  run(forward);
  CHECK(std::isnan(y[3]));
  y[3] = 0;
  CHECK(y == Numbers{0, 0, 2, 0, 0, kInfinity});
}

TEST_CASE("custom operation by hand: swish and its gradients") {
  // w x = ln 3 and -ln 3: s = 3/4 and 1/4, s (1 - s) = 3/16.
  const double ln3 = std::log(3.0);
  Numbers x = {2, -2}, w = {ln3 / 2}, y(2), dy = {1, 2}, dx(2), dw = {10};
  run(swish_forward(view(x, {2, 1}), view(w, Shape{1}), view(y, {2, 1})));
  CHECK_THAT(y, is({1.5, -0.5}));
  Custom backward =
      swish_backward(view(x, {2, 1}), view(w, Shape{1}), view(dy, {2, 1}), view(dw, Shape{1}), {view(dx, {2, 1})});
  Numbers sums(SwishBackward::kParts);
  const Workspace workspace = {sums.data(), sums.size() * sizeof(double)};
  backward.accumulate = true;
  make_reference_backend()->run(backward, workspace);
  CHECK_THAT(dx, is({0.75 + ln3 * 3 / 16, 2 * (0.25 - ln3 * 3 / 16)}));
  CHECK_THAT(dw, is({12.25}));
  backward.accumulate = false;
  make_reference_backend()->run(backward, workspace);
  CHECK_THAT(dw, is({2.25}));
}

TEST_CASE("GradTarget adds before it masks and NaN in relu_output masks to zero") {
  Numbers output = {1, 0, 2, 3}, dy = {5, 6, 7, 8}, dx = {10, 20, kNaN, 40}, below = {1, 1, kNaN, 0};
  ReluBackward op;
  op.y = view(output, {1, 4});
  op.dy = view(dy, {1, 4});
  op.target.dx = view(dx, {1, 4});
  op.target.accumulate = true;
  op.target.relu_output = view(below, {1, 4});
  run(op);
  CHECK(dx == Numbers{15, 20, 0, 0});
  op.target.accumulate = false;
  run(op);
  CHECK(dx == Numbers{5, 0, 0, 0});
  op.target.relu_output = {};
  run(op);
  CHECK(dx == Numbers{5, 0, 7, 8});
}

TEST_CASE("max_pool2d by hand: ties go to the first element and NaN wins and padding never wins") {
  Numbers x = {1, 3, 2, 3, 0, -1, 5, 5, kNaN}, y(4);
  std::vector<std::uint8_t> argmax(4);
  MaxPool2dForward forward;
  forward.attributes.kernel = {2, 2};
  forward.x = view(x, {1, 1, 3, 3});
  forward.y = view(y, {1, 1, 2, 2});
  forward.argmax = view(argmax, {1, 1, 2, 2});
  run(forward);
  CHECK(std::isnan(y[3]));
  y[3] = 0;
  CHECK(y == Numbers{3, 3, 5, 0});
  CHECK(argmax == std::vector<std::uint8_t>{1, 0, 2, 3});

  Numbers dy = {1, 2, 4, 8}, dx(9, kNaN);
  MaxPool2dBackward backward;
  backward.attributes = forward.attributes;
  backward.dy = view(dy, {1, 1, 2, 2});
  backward.argmax = forward.argmax;
  backward.target.dx = view(dx, {1, 1, 3, 3});
  run(backward);
  CHECK(dx == Numbers{0, 3, 0, 0, 0, 0, 4, 0, 8});

  Numbers lowest = {-kInfinity}, pooled(1);
  std::vector<std::uint8_t> centre(1);
  forward.attributes = {{3, 3}, {1, 1}, {1, 1}};
  forward.x = view(lowest, {1, 1, 1, 1});
  forward.y = view(pooled, {1, 1, 1, 1});
  forward.argmax = view(centre, {1, 1, 1, 1});
  run(forward);
  CHECK(pooled[0] == -kInfinity);
  CHECK(centre[0] == 4);
}

TEST_CASE("avg_pool2d by hand: both divisors and a partial window of ceil_mode") {
  Numbers x = {1, 2, 3, 4}, y(1);
  AvgPool2dForward forward;
  forward.attributes = {{3, 3}, {2, 2}, {1, 1}};
  forward.x = view(x, {1, 1, 2, 2});
  forward.y = view(y, {1, 1, 1, 1});
  run(forward);
  CHECK_THAT(y, is({10.0 / 9}));
  forward.attributes.count_include_pad = false;
  run(forward);
  CHECK_THAT(y, is({2.5}));

  for (const bool count_include_pad : {true, false}) {
    Numbers row = {1, 2, 3}, means(2), dy = {1, 2}, dx(3);
    AvgPool2dForward ceil;
    ceil.attributes = {{1, 2}, {1, 2}, {0, 0}, true, count_include_pad};
    ceil.x = view(row, {1, 1, 1, 3});
    ceil.y = view(means, {1, 1, 1, 2});
    run(ceil);
    CHECK_THAT(means, is({1.5, 3}));
    AvgPool2dBackward backward;
    backward.attributes = ceil.attributes;
    backward.dy = view(dy, {1, 1, 1, 2});
    backward.target.dx = view(dx, {1, 1, 1, 3});
    run(backward);
    CHECK_THAT(dx, is({0.5, 0.5, 2}));
  }
}

TEST_CASE("adaptive and global average pools by hand") {
  Numbers x = {1, 2, 3}, y(2), dy = {1, 2}, dx(3);
  AdaptiveAvgPool2dForward adaptive;
  adaptive.x = view(x, {1, 1, 1, 3});
  adaptive.y = view(y, {1, 1, 1, 2});
  run(adaptive);
  CHECK_THAT(y, is({1.5, 2.5}));
  AdaptiveAvgPool2dBackward adaptive_backward;
  adaptive_backward.dy = view(dy, {1, 1, 1, 2});
  adaptive_backward.target.dx = view(dx, {1, 1, 1, 3});
  run(adaptive_backward);
  CHECK_THAT(dx, is({0.5, 1.5, 1}));

  Numbers image = {1, 10, 3, 30}, mean(2), gradient = {2, 4}, spread(4);
  GlobalAvgPoolForward global;
  global.x = view(image, {1, 2, 1, 2});
  global.y = view(mean, {1, 2});
  run(global);
  CHECK_THAT(mean, is({2, 20}));
  GlobalAvgPoolBackward global_backward;
  global_backward.dy = view(gradient, {1, 2});
  global_backward.target.dx = view(spread, {1, 2, 1, 2});
  run(global_backward);
  CHECK_THAT(spread, is({1, 2, 1, 2}));
}

TEST_CASE("concat and split and flatten by hand") {
  Numbers first = {1, 2, 4, 5}, second = {3, 6}, y(6);
  ConcatForward concat;
  concat.x = {view(first, {1, 2, 1, 2}), view(second, {1, 1, 1, 2})};
  concat.y = view(y, {1, 3, 1, 2});
  run(concat);
  CHECK(y == Numbers{1, 2, 3, 4, 5, 6});
  Numbers dx0(4), dx1 = {10, 10};
  Split split;
  split.dy = concat.y;
  split.targets = {{view(dx0, {1, 2, 1, 2})}, {view(dx1, {1, 1, 1, 2}), true}};
  run(split);
  CHECK(dx0 == first);
  CHECK(dx1 == Numbers{13, 16});

  Numbers image = {1, 4, 2, 5, 3, 6}, flat(6), dx(6);
  FlattenForward flatten;
  flatten.x = view(image, {1, 2, 1, 3});
  flatten.y = view(flat, {1, 6});
  run(flatten);
  CHECK(flat == Numbers{1, 2, 3, 4, 5, 6});
  FlattenBackward flatten_backward;
  flatten_backward.dy = flatten.y;
  flatten_backward.target.dx = view(dx, {1, 2, 1, 3});
  run(flatten_backward);
  CHECK(dx == image);
}

TEST_CASE("add by hand") {
  Numbers a = {1, -4}, b = {2, 2}, y(2), dy = {3, 5}, da(2), db = {10, 10};
  AddForward forward;
  forward.scale = 0.5;
  forward.relu = true;
  forward.a = view(a, {1, 2});
  forward.b = view(b, {1, 2});
  forward.y = view(y, {1, 2});
  run(forward);
  CHECK(y == Numbers{2, 0});
  AddBackward backward;
  backward.scale = 0.5;
  backward.dy = view(dy, {1, 2});
  backward.da.dx = view(da, {1, 2});
  backward.db = {view(db, {1, 2}), true};
  run(backward);
  CHECK(da == Numbers{3, 5});
  CHECK(db == Numbers{11.5, 12.5});
}

TEST_CASE("fill and cast by hand with slices") {
  Numbers wide(9, 7.0);
  Fill fill;
  fill.value = -2.5;
  fill.y = view(wide, {3, 3, 1, 1}).channels(1, 2);
  run(fill);
  CHECK_THAT(wide, is({7, -2.5, -2.5, 7, -2.5, -2.5, 7, -2.5, -2.5}));
  Numbers flat(2);
  fill.value = kInfinity;
  fill.y = view(flat, Shape{2});
  run(fill);
  CHECK((flat[0] == kInfinity && flat[1] == kInfinity));

  Numbers x = {1, 2, 3, 4, 5, kNaN};
  std::vector<float> y(4, 9.0f);
  Cast cast;
  cast.x = view(x, {2, 3}).channels(1, 2);
  cast.y = view(y, {2, 2});
  run(cast);
  CHECK((y[0] == 2.0f && y[1] == 3.0f && y[2] == 5.0f && std::isnan(y[3])));
}

}  // namespace minception
