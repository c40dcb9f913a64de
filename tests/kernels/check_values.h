#pragma once
/// Tests that do not fit in the case tables. For any backend: averages of numbers of very different magnitude, NaN in
/// pools and dropout. For backends on the host: rejected settings.

#include "kernels/backend.h"
#include "tests/kernels/check_conversions.h"

#include "tests/catch.h"

#include <cmath>
#include <limits>
#include <vector>

namespace minception {

/// Where the decay is 0, Adam's moments and the average of ema_update keep no residue of old values, however large.
inline void check_moving_averages(Backend& backend) {
  constexpr std::int64_t kCount = 67;  // vectors and a remainder
  const std::vector<float> small(kCount, 1e-3f), large(kCount, 3e7f);
  for (const double beta2 : {0.0, 0.25}) {
    const OnDevice<float> g(backend, small), w(backend, small), m(backend, large), v(backend, large);
    const OnDevice<std::int64_t> step(backend, {5});
    const OnDevice<float> schedule(backend, {0.5f, 0.0f});
    AdamStep adam{.beta2 = beta2, .epsilon = 0.0, .groups = {{0, kCount}}};
    adam.step = step.flat();
    adam.schedule = schedule.flat();
    adam.g = g.flat();
    adam.w = w.flat();
    adam.m = m.flat();
    adam.v = v.flat();
    backend.run(adam);
    const float second = static_cast<float>(beta2 * 3e7 + (1.0 - beta2) * 1e-6);
    const double moved = 0.5 * 1e-3 / std::sqrt(double{second} / (1.0 - std::pow(beta2, 5.0)));
    for (const float value : m.read()) CHECK(value == 1e-3f);
    for (const float value : v.read()) CHECK(value == Approx(second).epsilon(1e-6));
    for (const float value : w.read()) CHECK(value == Approx(1e-3 - moved).epsilon(1e-6));
  }
  const OnDevice<float> w(backend, small), average(backend, large);
  const OnDevice<std::int64_t> step(backend, {5});
  EmaUpdate ema{.decay = 0.0};
  ema.step = step.flat();
  ema.w = w.flat();
  ema.average = average.flat();
  backend.run(ema);
  CHECK(average.read() == small);
}

/// The first NaN of a window wins: argmax is its window index and y is NaN.
template <class T>
void check_first_nan_wins_pool(Backend& backend) {
  const T nan(std::numeric_limits<float>::quiet_NaN()), negative_nan(-std::numeric_limits<float>::quiet_NaN());
  constexpr std::int64_t kChannels = 9;  // a vector and a remainder
  for (const auto& pixels :
       {std::vector<T>{T(1.0f), nan, T(5.0f), negative_nan}, std::vector<T>{T(7.0f), negative_nan, T(5.0f), nan}}) {
    std::vector<T> values;
    for (const T pixel : pixels) values.insert(values.end(), kChannels, pixel);
    const OnDevice<T> x(backend, values), y(backend, std::vector<T>(kChannels));
    const OnDevice<std::uint8_t> argmax(backend, std::vector<std::uint8_t>(kChannels));
    MaxPool2dForward pool;
    pool.attributes.kernel = {2, 2};
    pool.x = x.tensor({1, kChannels, 2, 2});
    pool.y = y.tensor({1, kChannels, 1, 1});
    pool.argmax = argmax.tensor({1, kChannels, 1, 1});
    backend.run(pool);
    for (const T value : y.read()) CHECK(std::isnan(static_cast<float>(value)));
    CHECK(argmax.read() == std::vector<std::uint8_t>(kChannels, 1));
  }
}

/// Dropout multiplies dropped elements by 0, forward and backward: NaN stays NaN, and infinity becomes NaN.
inline void check_dropped_nan(Backend& backend) {
  constexpr std::int64_t kCount = 64;
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const OnDevice<float> x(backend, std::vector<float>(kCount, value)), y(backend, std::vector<float>(kCount));
    const OnDevice<std::int64_t> position(backend, {1, 0});
    DropoutForward forward{.attributes = {.p = 0.5, .seed = 3}};
    forward.position = position.flat();
    forward.x = x.tensor({1, kCount});
    forward.y = y.tensor({1, kCount});
    backend.run(forward);
    std::size_t nan = 0;
    for (const float result : y.read()) {
      CHECK_FALSE(std::isfinite(result));
      nan += std::isnan(result);
    }
    CHECK(nan > 10);  // for infinity: the dropped elements
    DropoutBackward backward{.attributes = forward.attributes};
    backward.position = forward.position;
    backward.dy = forward.x;
    backward.target.dx = forward.y;
    backend.run(backward);
    for (const float result : y.read()) CHECK_FALSE(std::isfinite(result));
  }
}

inline void check_values(Backend& backend, bool bf16_too) {
  check_moving_averages(backend);
  check_first_nan_wins_pool<float>(backend);
  if (bf16_too) check_first_nan_wins_pool<bf16>(backend);
  check_dropped_nan(backend);
}

/// Settings are rejected with the exact message, and w keeps its values.
inline void check_refused_settings(Backend& backend) {
  const OnDevice<float> buffer(backend, {4.0f, 4.0f});
  const auto run = [&](std::int64_t number, float rate, float momentum, bool adam) {
    const OnDevice<std::int64_t> step(backend, {number});
    const OnDevice<float> schedule(backend, {rate, momentum}), moments(backend, {1.0f, 1.0f});
    if (adam) {
      AdamStep op{.groups = {{0, 2}}, .step = step.flat(), .schedule = schedule.flat(), .g = moments.flat()};
      op.w = buffer.flat();
      op.m = op.v = moments.flat();
      return backend.run(op);
    }
    SgdStep op{.groups = {{0, 2}}, .schedule = schedule.flat(), .g = moments.flat(), .w = buffer.flat()};
    op.v = moments.flat();
    backend.run(op);
  };
  const float nan = std::nanf("");
  CHECK_THROWS_WITH(run(0, 0.1f, 0.9f, true), "adam_step: the step must be 1 or more, not 0");
  CHECK_THROWS_WITH(run(1, 0.1f, 1.0f, true), "adam_step: beta1 must be in [0, 1), not 1");
  CHECK_THROWS_WITH(run(1, 0.1f, nan, true), "adam_step: beta1 must be in [0, 1), not nan");
  CHECK_THROWS_WITH(run(1, nan, 0.9f, true), "adam_step: the learning rate must be 0 or more, not nan");
  CHECK_THROWS_WITH(run(1, -0.5f, 0.9f, false), "sgd_step: the learning rate must be 0 or more, not -0.5");
  CHECK_THROWS_WITH(run(1, 0.1f, -0.5f, false), "sgd_step: the momentum must be 0 or more, not -0.5");
  const OnDevice<std::int64_t> step(backend, {0});
  EmaUpdate ema;
  ema.step = step.flat();
  ema.w = ema.average = buffer.flat();
  CHECK_THROWS_WITH(backend.run(ema), "ema_update: the step must be 1 or more, not 0");
  const OnDevice<std::int64_t> position(backend, {1, -2});
  DropoutForward dropout;
  dropout.position = position.flat();
  dropout.x = dropout.y = buffer.tensor({1, 2});
  CHECK_THROWS_WITH(backend.run(dropout), "dropout_forward: epoch and position must be 0 or more, not 1 and -2");
  CHECK(buffer.read() == std::vector<float>{4.0f, 4.0f});
}

/// max_pool2d_backward rejects an argmax outside of the window and keeps dx.
inline void check_refused_argmax(Backend& backend, const char* message) {
  const OnDevice<float> dy(backend, {1.0f}), dx(backend, {4.0f, 4.0f, 4.0f, 4.0f});
  const OnDevice<std::uint8_t> argmax(backend, {4});
  MaxPool2dBackward op;
  op.attributes.kernel = {2, 2};
  op.dy = dy.tensor({1, 1, 1, 1});
  op.argmax = argmax.tensor({1, 1, 1, 1});
  op.target.dx = dx.tensor({1, 1, 2, 2});
  CHECK_THROWS_WITH(backend.run(op), message);
  CHECK(dx.read() == std::vector<float>(4, 4.0f));
}

}  // namespace minception
