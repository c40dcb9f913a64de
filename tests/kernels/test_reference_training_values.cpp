/// Normalisation, dropout, loss, optimizer and data loading on numbers small enough to be computed by hand.

#include "core/random.h"
#include "tests/kernels/by_hand.h"

namespace minception {

using namespace by_hand;

TEST_CASE("batch_norm by hand") {
  Numbers x = {1, 3}, gamma = {4}, beta = {1}, running_mean = {8}, running_var = {4}, y(2), mean(1), rstd(1);
  BatchNormForwardTraining training;
  training.attributes = {3.0, 0.25, false};
  training.x = view(x, {2, 1, 1, 1});
  training.y = view(y, {2, 1, 1, 1});
  training.gamma = view(gamma, Shape{1});
  training.beta = view(beta, Shape{1});
  training.running_mean = view(running_mean, Shape{1});
  training.running_var = view(running_var, Shape{1});
  training.mean = view(mean, Shape{1});
  training.rstd = view(rstd, Shape{1});
  run(training);
  CHECK_THAT(y, is({-1, 3}));
  CHECK_THAT(mean, is({2}));
  CHECK_THAT(rstd, is({0.5}));
  CHECK_THAT(running_mean, is({6.5}));
  CHECK_THAT(running_var, is({3.5}));

  Numbers dy = {1, 3}, dx(2), dgamma(1), dbeta(1);
  BatchNormBackward backward;
  backward.x = training.x;
  backward.gamma = training.gamma;
  backward.mean = training.mean;
  backward.rstd = training.rstd;
  backward.dy = view(dy, {2, 1, 1, 1});
  backward.dgamma = view(dgamma, Shape{1});
  backward.dbeta = view(dbeta, Shape{1});
  backward.target.dx = view(dx, {2, 1, 1, 1});
  run(backward);
  CHECK_THAT(dgamma, is({1}));
  CHECK_THAT(dbeta, is({4}));
  CHECK_THAT(dx, is({-1.5, 1.5}));

  running_mean = {1};
  running_var = {1};
  BatchNormForwardInference inference;
  inference.attributes = training.attributes;
  inference.x = training.x;
  inference.y = training.y;
  inference.gamma = training.gamma;
  inference.beta = training.beta;
  inference.running_mean = training.running_mean;
  inference.running_var = training.running_var;
  run(inference);
  CHECK_THAT(y, is({1, 5}));

  // One value per channel has no unbiased variance: running_var keeps its value.
  training.x = view(x, {1, 1, 1, 1});
  training.y = view(y, {1, 1, 1, 1});
  run(training);
  CHECK(running_var == Numbers{1});
  CHECK(y[0] == 1.0);
}

TEST_CASE("local_response_norm by hand") {
  Numbers x = {1, 2, 0}, y(3), dy = {1, 0, 0}, dx(3);
  LocalResponseNormForward forward;
  forward.attributes = {3, 3.0, 1.0, 1.0};
  forward.x = view(x, {1, 3});
  forward.y = view(y, {1, 3});
  run(forward);
  CHECK_THAT(y, is({1.0 / 6, 1.0 / 3, 0}));
  LocalResponseNormBackward backward;
  backward.attributes = forward.attributes;
  backward.x = forward.x;
  backward.dy = view(dy, {1, 3});
  backward.target.dx = view(dx, {1, 3});
  run(backward);
  CHECK_THAT(dx, is({1.0 / 9, -1.0 / 9, 0}));

  // An even window has one more channel on the left.
  forward.attributes = {2, 2.0, 1.0, 1.0};
  run(forward);
  CHECK_THAT(y, is({1.0 / 2, 2.0 / 6, 0}));
}

TEST_CASE("dropout: masks depend on seed and stream and epoch and position but not on the batch") {
  Numbers x(12, 1.0), whole(12), parts(12);
  std::vector<std::int64_t> position = {3, 5};
  DropoutForward op;
  op.attributes = {0.4, 11, 2};
  op.position = view(position, Shape{2});
  op.x = view(x, {2, 3, 1, 2});
  op.y = view(whole, {2, 3, 1, 2});
  run(op);
  const Random random{11, std::uint64_t{2} << 32 | 3};
  for (std::uint64_t i = 0; i < 12; ++i) {
    CHECK(whole[i] == Approx(random.uniform(5 * 6 + i) >= 0.4f ? 1.0 / 0.6 : 0.0));
  }
  for (std::int64_t n = 0; n < 2; ++n) {
    position = {3, 5 + n};
    op.x = Tensor({1, 3, 1, 2}, DType::f64, x.data() + 6 * n);
    op.y = Tensor({1, 3, 1, 2}, DType::f64, parts.data() + 6 * n);
    run(op);
  }
  CHECK(parts == whole);
}

TEST_CASE("softmax_cross_entropy by hand") {
  Numbers logits = {0, 0, 1000, 0}, metrics = {1, 1}, dlogits(4);
  std::vector<std::int32_t> labels = {1, 0};
  SoftmaxCrossEntropy op;
  op.divisor = 2.0;
  op.logits = view(logits, {2, 2});
  op.labels = view(labels, Shape{2});
  op.metrics = view(metrics, Shape{2});
  op.dlogits = view(dlogits, {2, 2});
  run(op);
  CHECK_THAT(metrics, is({1 + std::log(2.0), 2}));  // of equal logits the first class is predicted
  CHECK_THAT(dlogits, is({0.25, -0.25, 0, 0}));
  op.label_smoothing = 0.2;
  op.weight = 3.0;
  run(op);
  CHECK_THAT(metrics, is({1 + 2 * std::log(2.0) + 100, 3}));
  CHECK_THAT(dlogits, is({0.6, -0.6, 0.15, -0.15}));

  labels[1] = 2;
  CHECK_THROWS_WITH(run(op), "softmax_cross_entropy: label 2 of sample 1 is not in [0, 2)");
}

TEST_CASE("sgd_step by hand") {
  for (const bool nesterov : {false, true}) {
    Numbers w = {1, 1, 1}, g = {2, 2, 2}, v = {4, 4, 4};
    std::vector<float> schedule = {0.5f, 0.5f};
    SgdStep op;
    op.nesterov = nesterov;
    op.groups = {{0, 1, 2.0, 0.5}, {2, 1, 1.0, 0.0, false}};
    op.schedule = view(schedule, Shape{2});
    op.w = view(w, Shape{3});
    op.g = view(g, Shape{3});
    op.v = view(v, Shape{3});
    run(op);
    CHECK_THAT(w, is({nesterov ? -3.75 : -3.5, 1, 1}));
    CHECK_THAT(v, is({4.5, 4, 4}));
  }
  Numbers w = {1}, g = {2};
  std::vector<float> schedule = {0.5f, 0.5f};
  SgdStep op;
  op.groups = {{0, 1}};
  op.schedule = view(schedule, Shape{2});
  op.w = view(w, Shape{1});
  op.g = view(g, Shape{1});
  CHECK_THROWS_WITH(run(op), "sgd_step: a momentum of 0.5 needs the operand v");
}

TEST_CASE("sgd_step by hand with clip coefficient") {
  Numbers w = {1}, g = {8}, v = {4}, factor = {0.25};
  std::vector<float> schedule = {0.5f, 0.5f};
  SgdStep op;
  op.groups = {{0, 1, 1.0, 0.5}};
  op.schedule = view(schedule, Shape{2});
  op.w = view(w, Shape{1});
  op.g = view(g, Shape{1});
  op.v = view(v, Shape{1});
  op.factor = view(factor, Shape{1});
  run(op);  // g' = 2 + 0.5, v = 2 + 2.5
  CHECK_THAT(v, is({4.5}));
  CHECK_THAT(w, is({-1.25}));
  CHECK_THAT(g, is({8}));
}

TEST_CASE("adam_step by hand") {
  for (const bool decoupled : {false, true}) {
    Numbers w = {4, 4, 4}, g = {6, 6, 6}, m = {2, 2, 2}, v = {1, 1, 1}, factor = {0.5};
    std::vector<float> schedule = {0.5f, 0.5f};
    std::vector<std::int64_t> step = {2};
    AdamStep op;
    op.beta2 = 0.75;
    op.epsilon = 0.5;
    op.decoupled = decoupled;
    op.groups = {{0, 1, 2.0, 0.25}, {2, 1, 1.0, 0.0, false}};
    op.step = view(step, Shape{1});
    op.schedule = view(schedule, Shape{2});
    op.w = view(w, Shape{3});
    op.g = view(g, Shape{3});
    op.m = view(m, Shape{3});
    op.v = view(v, Shape{3});
    op.factor = view(factor, Shape{1});
    run(op);
    // The learning rate is 0.5 * 2; g' is 3, or 4 with weight decay in the gradient; corrections 1 - 1/4 and 1 - 9/16.
    const double gradient = decoupled ? 3.0 : 4.0;
    const double first = 0.5 * 2.0 + 0.5 * gradient;
    const double second = 0.75 + 0.25 * gradient * gradient;
    const double before = decoupled ? 3.0 : 4.0;
    CHECK_THAT(m, is({first, 2, 2}));
    CHECK_THAT(v, is({second, 1, 1}));
    CHECK_THAT(w, is({before - first / 0.75 / (std::sqrt(second / 0.4375) + 0.5), 4, 4}));
  }
}

TEST_CASE("clip_coefficient by hand") {
  Numbers g = {100, 3, -4, 100, 12}, factor = {kNaN};
  ClipCoefficient op;
  op.groups = {{1, 2}, {3, 1, 1.0, 0.0, false}, {4, 1}};
  op.g = view(g, Shape{5});
  op.factor = view(factor, Shape{1});
  op.max_norm = 2.0;
  run(op);
  CHECK(factor[0] == Approx(2.0 / (13.0 + 1e-6)).epsilon(1e-12));
  op.max_norm = 13.5;
  run(op);
  CHECK(factor[0] == 1.0);
  for (const double spoiled : {kNaN, kInfinity, -kInfinity}) {
    g[4] = spoiled;
    factor[0] = 1.0;
    run(op);
    CHECK(std::isnan(factor[0]));
  }
  g[4] = 0.0;
  g[3] = kNaN;  // frozen
  run(op);
  CHECK(factor[0] == 1.0);
}

TEST_CASE("ema_update by hand") {
  Numbers w = {3, 5}, average = {kNaN, 1};
  std::vector<std::int64_t> step = {1};
  EmaUpdate op;
  op.decay = 0.75;
  op.step = view(step, Shape{1});
  op.w = view(w, Shape{2});
  op.average = view(average, Shape{2});
  run(op);
  CHECK_THAT(average, is({3, 5}));
  step[0] = 2;  // warm-up: the average moves by 9/12, more than 1 - decay
  w = {7, 1};
  run(op);
  CHECK_THAT(average, is({6, 2}));
  step[0] = 90;
  w = {2, 10};
  run(op);
  CHECK_THAT(average, is({5, 4}));
}

TEST_CASE("batch_norm_backward_inference by hand") {
  Numbers dy = {3, -8}, gamma = {4, 0.5}, variance = {1, 13}, dx = {1, 1}, below = {1, 0};
  BatchNormBackwardInference op;
  op.attributes.epsilon = 3.0;
  op.dy = view(dy, {1, 2, 1, 1});
  op.gamma = view(gamma, Shape{2});
  op.running_var = view(variance, Shape{2});
  op.target = {.dx = view(dx, {1, 2, 1, 1}), .accumulate = true};
  run(op);
  CHECK_THAT(dx, is({7, 0}));
  op.target.accumulate = false;
  op.target.relu_output = view(below, {1, 2, 1, 1});
  run(op);
  CHECK_THAT(dx, is({6, 0}));
}

TEST_CASE("group_norms by hand") {
  Numbers x = {100, 3, -4, 100, 2, kNaN, 0, -kInfinity}, y(8);
  GroupNorms op;
  op.groups = {{1, 2}, {4, 1, 1.0, 0.0, false}, {5, 3}, {8, 0}};
  op.x = view(x, Shape{8});
  op.y = view(y, {4, 2});
  run(op);
  CHECK(std::isnan(y[4]));
  y[4] = 0;
  CHECK_THAT(y, is({5, 0, 2, 0, 0, 2, 0, 0}));
}

TEST_CASE("load_batch: random resized crop and colour jitter") {
  // Pixel (i, j) is 10 * i + 2 * j in red, 3 more in green, 7 more in blue: bilinear interpolation is exact.
  constexpr int kHeight = 9, kWidth = 12, kBatch = 6, kOut = 5;
  std::vector<std::uint8_t> images;
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kWidth; ++j) {
      for (const int more : {0, 3, 7}) images.push_back(static_cast<std::uint8_t>(10 * i + 2 * j + more));
    }
  }
  std::vector<std::int32_t> labels = {1}, indices(kBatch, 0), y_labels(kBatch);
  std::vector<std::int64_t> position = {6, 70};
  Numbers y(kBatch * kOut * kOut * 3);
  LoadBatch op;
  op.scale = {1.0f};
  op.augmentation = {.flip = true,
                     .seed = 11,
                     .stream = 3,
                     .scale = 0.1,
                     .ratio = 2.0,
                     .brightness = 0.5,
                     .contrast = 0.25,
                     .saturation = 1.0};
  op.images = view(images, {1, 3, kHeight, kWidth});
  op.labels = view(labels, Shape{1});
  op.indices = view(indices, Shape{kBatch});
  op.position = view(position, Shape{2});
  op.y = view(y, {kBatch, 3, kOut, kOut});
  op.y_labels = view(y_labels, Shape{kBatch});
  run(op);
  const auto random = [](std::uint64_t part) { return Random{11, (3 + part) << 32 | 6}; };
  std::size_t k = 0;
  for (std::uint64_t s = 70; s < 70 + kBatch; ++s) {
    const bool mirrored = random(0).bits(4 * s + 2) % 2 == 1;
    const Box box = draw_resized_crop(random(1), s, kHeight, kWidth, 0.1, 2.0);
    const ColourJitter colour = draw_colour_jitter(random(2), s, 0.5f, 0.25f, 1.0f);
    const auto place = [&](int index, int begin, int count) {
      return begin + std::clamp((index + 0.5) * count / kOut - 0.5, 0.0, count - 1.0);
    };
    for (int i = 0; i < kOut; ++i) {
      for (int j = 0; j < kOut; ++j) {
        const double red =
            10.0 * place(i, box.top, box.height) + 2.0 * place(mirrored ? kOut - 1 - j : j, box.left, box.width);
        const double grey = 0.299 * red + 0.587 * (red + 3) + 0.114 * (red + 7);
        for (const int more : {0, 3, 7}) CHECK(y[k++] == Approx(colour.of(red + more, grey)).margin(1e-9));
      }
    }
  }
}

TEST_CASE("load_batch: crops and flips depend on seed and stream and epoch and position but not on the batch") {
  // Pixel (i, j) of image m is 100 * m + 10 * i + j + 1: never 0, which is the value of padding.
  constexpr int kHeight = 3, kWidth = 5, kBatch = 8;
  std::vector<std::uint8_t> images;
  for (int m = 0; m < 2; ++m) {
    for (int i = 0; i < kHeight; ++i) {
      for (int j = 0; j < kWidth; ++j) images.push_back(static_cast<std::uint8_t>(100 * m + 10 * i + j + 1));
    }
  }
  std::vector<std::int32_t> labels = {3, 9}, indices = {0, 1, 1, 0, 0, 1, 0, 1}, y_labels(kBatch);
  std::vector<std::int64_t> position = {6, 70};
  Numbers whole(kBatch * kHeight * kWidth), parts(whole.size());
  LoadBatch op;
  op.scale = {2.0f};
  op.shift = {-5.0f};
  op.augmentation = {{1, 2}, true, 11, 3};
  op.images = view(images, {2, 1, kHeight, kWidth});
  op.labels = view(labels, Shape{2});
  op.indices = view(indices, Shape{kBatch});
  op.position = view(position, Shape{2});
  op.y = view(whole, {kBatch, 1, kHeight, kWidth});
  op.y_labels = view(y_labels, Shape{kBatch});
  run(op);

  const Random random{11, std::uint64_t{3} << 32 | 6};
  int flipped = 0;
  std::size_t k = 0;
  for (std::size_t n = 0; n < kBatch; ++n) {
    const std::uint64_t s = 70 + n;
    const auto down = static_cast<int>(random.bits(4 * s) % 3) - 1;
    const auto right = static_cast<int>(random.bits(4 * s + 1) % 5) - 2;
    const bool mirrored = random.bits(4 * s + 2) % 2 == 1;
    flipped += mirrored ? 1 : 0;
    for (int i = 0; i < kHeight; ++i) {
      for (int j = 0; j < kWidth; ++j, ++k) {
        const int row = i + down;
        const int column = (mirrored ? kWidth - 1 - j : j) + right;
        const bool inside = row >= 0 && row < kHeight && column >= 0 && column < kWidth;
        const double pixel = inside ? 100 * indices[n] + 10 * row + column + 1 : 0;
        INFO(n << " " << i << " " << j);
        CHECK(whole[k] == 2 * pixel - 5);
      }
    }
    CHECK(y_labels[n] == labels[static_cast<std::size_t>(indices[n])]);
  }
  CHECK((flipped > 0 && flipped < kBatch));

  for (std::int64_t n = 0; n < kBatch; ++n) {
    position = {6, 70 + n};
    op.indices = Tensor(Shape{1}, DType::i32, indices.data() + n);
    op.y = Tensor({1, 1, kHeight, kWidth}, DType::f64, parts.data() + n * kHeight * kWidth);
    op.y_labels = Tensor(Shape{1}, DType::i32, y_labels.data() + n);
    run(op);
  }
  CHECK(parts == whole);
}

TEST_CASE("load_batch by hand") {
  std::vector<std::uint8_t> images = {7, 7, 0, 100};
  std::vector<std::int32_t> labels = {3, 9}, indices = {1}, y_labels(1);
  Numbers y(4);
  LoadBatch op;
  op.scale = {0.5f};
  op.shift = {1.0f};
  op.images = view(images, {2, 1, 1, 2});
  op.labels = view(labels, Shape{2});
  op.indices = view(indices, Shape{1});
  op.y = view(y, {1, 1, 1, 4});
  op.y_labels = view(y_labels, Shape{1});
  run(op);
  CHECK_THAT(y, is({1, 13.5, 38.5, 51}));
  CHECK(y_labels[0] == 9);
  indices[0] = 2;
  CHECK_THROWS_WITH(run(op), "load_batch: index 2 of sample 0 is not in [0, 2)");
}

}  // namespace minception
