#include <minception/core/error.h>
#include <minception/training/progress.h>
#include <minception/training/schedule.h>

#include <catch2/catch.hpp>

using namespace minception;

TEST_CASE("the constant schedule stays where it is") {
  const Schedule schedule = {.learning_rate = 0.1, .momentum = 0.9};
  for (std::int64_t step : {0, 5, 99}) {
    CHECK(schedule.at(step, 100).learning_rate == 0.1);
    CHECK(schedule.at(step, 100).momentum == 0.9);
  }
  CHECK_THROWS_AS(schedule.at(100, 100), Error);
  CHECK_THROWS_AS(schedule.at(-1, 100), Error);
}

TEST_CASE("one cycle starts at a 25th, peaks, and ends at a 250,000th") {
  const Schedule schedule = {.kind = ScheduleKind::one_cycle,
                             .learning_rate = 0.1,
                             .momentum = 0.95,
                             .lowest_momentum = 0.85,
                             .warmup_fraction = 0.2};
  constexpr std::int64_t kTotal = 105;  // the peak is at step 0.2 * 105 - 1 = 20
  CHECK(schedule.at(0, kTotal).learning_rate == Approx(0.1 / 25));
  CHECK(schedule.at(0, kTotal).momentum == Approx(0.95));
  CHECK(schedule.at(10, kTotal).learning_rate == Approx((0.1 / 25 + 0.1) / 2));
  CHECK(schedule.at(20, kTotal).learning_rate == Approx(0.1));
  CHECK(schedule.at(20, kTotal).momentum == Approx(0.85));
  CHECK(schedule.at(62, kTotal).learning_rate == Approx((0.1 + 0.1 / 250000) / 2));
  CHECK(schedule.at(104, kTotal).learning_rate == Approx(0.1 / 250000));
  CHECK(schedule.at(104, kTotal).momentum == Approx(0.95));
  for (std::int64_t step = 1; step < kTotal; ++step) {
    CHECK((schedule.at(step, kTotal).learning_rate > schedule.at(step - 1, kTotal).learning_rate) == (step <= 20));
  }
  for (std::int64_t total : {1, 2, 3, 5}) {  // too short to rise: every step still has finite values
    for (std::int64_t step = 0; step < total; ++step) {
      const ScheduleValues values = schedule.at(step, total);
      CHECK((values.learning_rate > 0.0 && values.learning_rate <= 0.1));
      CHECK((values.momentum >= 0.85 && values.momentum <= 0.95));
    }
  }
}

TEST_CASE("schedules have names") {
  CHECK(parse_schedule("one-cycle") == ScheduleKind::one_cycle);
  CHECK(parse_schedule("constant") == ScheduleKind::constant);
  CHECK_THROWS_WITH(parse_schedule("cosine"), Catch::Contains("known are constant, one-cycle"));
}

TEST_CASE("times read as on a clock") {
  CHECK(clock_time(7.4) == "0:07");
  CHECK(clock_time(754) == "12:34");
  CHECK(clock_time(3723) == "1:02:03");
}
