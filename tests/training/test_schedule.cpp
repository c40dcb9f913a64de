#include "core/error.h"
#include "training/progress.h"
#include "training/schedule.h"

#include "tests/catch.h"

#include <cmath>

using namespace minception;

TEST_CASE("the constant schedule does not change") {
  const Schedule schedule;
  const Sgd sgd = {.lr = 0.1, .momentum = 0.9};
  for (std::int64_t step : {0, 5, 99}) {
    CHECK(schedule.at(step, 100, sgd).learning_rate == 0.1);
    CHECK(schedule.at(step, 100, sgd).momentum == 0.9);
  }
  CHECK_THROWS_AS(schedule.at(100, 100, sgd), Error);
  CHECK_THROWS_AS(schedule.at(-1, 100, sgd), Error);
}

TEST_CASE("one cycle starts at a 25th of its peak and ends at a 250000th") {
  const Schedule schedule = {.kind = ScheduleKind::one_cycle, .base_momentum = 0.85, .pct_start = 0.2};
  const Sgd sgd = {.lr = 0.1, .momentum = 0.95};
  constexpr std::int64_t kTotal = 105;  // the peak is at step 0.2 * 105 - 1 = 20
  CHECK(schedule.at(0, kTotal, sgd).learning_rate == Approx(0.1 / 25));
  CHECK(schedule.at(0, kTotal, sgd).momentum == Approx(0.95));
  CHECK(schedule.at(10, kTotal, sgd).learning_rate == Approx((0.1 / 25 + 0.1) / 2));
  CHECK(schedule.at(20, kTotal, sgd).learning_rate == Approx(0.1));
  CHECK(schedule.at(20, kTotal, sgd).momentum == Approx(0.85));
  CHECK(schedule.at(62, kTotal, sgd).learning_rate == Approx((0.1 + 0.1 / 250000) / 2));
  CHECK(schedule.at(104, kTotal, sgd).learning_rate == Approx(0.1 / 250000));
  CHECK(schedule.at(104, kTotal, sgd).momentum == Approx(0.95));
  for (std::int64_t step = 1; step < kTotal; ++step) {
    CHECK((schedule.at(step, kTotal, sgd).learning_rate > schedule.at(step - 1, kTotal, sgd).learning_rate) ==
          (step <= 20));
  }
  for (std::int64_t total : {1, 2, 3, 5}) {  // too few steps to rise: values are still finite
    for (std::int64_t step = 0; step < total; ++step) {
      const ScheduleValues values = schedule.at(step, total, sgd);
      CHECK((values.learning_rate > 0.0 && values.learning_rate <= 0.1));
      CHECK((values.momentum >= 0.85 && values.momentum <= 0.95));
    }
  }
}

TEST_CASE("the step schedule is multiplied by gamma every step_size steps") {
  // Szegedy et al. 2015: 4 % every 8 epochs; an epoch has 5 steps here.
  const Schedule schedule = {.kind = ScheduleKind::step, .step_size = 40, .gamma = 0.96};
  const Sgd sgd = {.lr = 0.01, .momentum = 0.9};
  CHECK(schedule.at(0, 200, sgd).learning_rate == 0.01);
  CHECK(schedule.at(39, 200, sgd).learning_rate == 0.01);
  CHECK(schedule.at(40, 200, sgd).learning_rate == Approx(0.0096));
  CHECK(schedule.at(80, 200, sgd).learning_rate == Approx(0.009216));
  CHECK(schedule.at(80, 200, sgd).momentum == 0.9);
}

TEST_CASE("the cosine schedule falls from the learning rate to eta_min") {
  const Schedule schedule = {.kind = ScheduleKind::cosine, .eta_min = 0.1};
  const Sgd sgd = {.lr = 0.5};
  CHECK(schedule.at(0, 100, sgd).learning_rate == 0.5);
  CHECK(schedule.at(25, 100, sgd).learning_rate == Approx(0.3 + 0.2 * std::sqrt(0.5)));
  CHECK(schedule.at(50, 100, sgd).learning_rate == Approx(0.3));
  CHECK(schedule.at(99, 100, sgd).learning_rate == Approx(0.1).epsilon(0.01));
}

TEST_CASE("a warm-up rises linearly to the first value of the schedule and shifts it") {
  for (const ScheduleKind kind :
       {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine, ScheduleKind::one_cycle}) {
    Schedule plain = {.kind = kind, .step_size = 7, .base_momentum = 0.8};
    const Sgd sgd = {.lr = 0.8, .momentum = 0.9};
    Schedule warm = plain;
    warm.warmup_steps = 3;
    INFO(name_of(kind));
    const double first = plain.at(0, 20, sgd).learning_rate;
    for (std::int64_t step = 0; step < 3; ++step) {
      CHECK(warm.at(step, 23, sgd).learning_rate == Approx(first * static_cast<double>(step + 1) / 4.0));
      CHECK(warm.at(step, 23, sgd).momentum == plain.at(0, 20, sgd).momentum);
    }
    if (kind == ScheduleKind::step) {  // the step schedule counts from the start of training
      CHECK(warm.at(6, 23, sgd).learning_rate == 0.8);
      CHECK(warm.at(7, 23, sgd).learning_rate == Approx(0.08));
      continue;
    }
    for (std::int64_t step = 0; step < 20; ++step) {
      CHECK(warm.at(step + 3, 23, sgd).learning_rate == Approx(plain.at(step, 20, sgd).learning_rate));
      CHECK(warm.at(step + 3, 23, sgd).momentum == Approx(plain.at(step, 20, sgd).momentum));
    }
  }
  CHECK_THROWS_WITH((Schedule{.warmup_steps = 10}.at(0, 10, Sgd{})), Catch::Contains("leaves none"));
}

TEST_CASE("schedules have names") {
  for (const char* name : {"constant", "step", "cosine", "one-cycle"}) CHECK(name_of(parse_schedule(name)) == name);
  CHECK_THROWS_WITH(parse_schedule("linear"), Catch::Contains("use one of constant, step, cosine, one-cycle"));
}

TEST_CASE("clock_time formats hours and minutes and seconds") {
  CHECK(clock_time(7.4) == "0:07");
  CHECK(clock_time(754) == "12:34");
  CHECK(clock_time(3723) == "1:02:03");
}
