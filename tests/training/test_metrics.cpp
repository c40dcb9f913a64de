/// Writing and reading of metrics.jsonl; errors name the line.

#include "core/error.h"
#include "tests/core/temporary_folder.h"
#include "training/metrics.h"

#include "tests/catch.h"

#include <cmath>
#include <limits>

using namespace minception;
using minception::testing::message_of;
using minception::testing::TemporaryFolder;
using minception::testing::write_file;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

StepMetrics a_step() {
  return {.epoch = 1,
          .step = 20,
          .learning_rate = 0.1,
          .momentum = 0.9,
          .loss = 2.302585092994046,
          .accuracy = 0.125,
          .examples_per_second = 1234.5,
          .gradient_norm = 3.0,
          .gradient_norms = {{"conv1", 1e-9}, {"aux1", kNan}, {"\"<b>\" & 'ü'", 0.5}}};
}

EpochMetrics an_epoch() {
  return {.epoch = 2,
          .step = 40,
          .learning_rate = 0.05,
          .train_loss = 1.5,
          .train_accuracy = 0.5,
          .eval_loss = std::numeric_limits<double>::infinity(),
          .eval_accuracy = 1.0 / 3.0,
          .eval_top5 = 0.95,
          .examples_per_second = 1000.0,
          .seconds = 61.25};
}

const std::string kStep = to_json_line(a_step());
const std::string kEpoch = to_json_line(an_epoch());

/// The error message for a file whose third line is `line`.
std::string message_for(const TemporaryFolder& folder, const std::string& line) {
  write_file(folder / "metrics.jsonl", kStep + "\n" + kEpoch + "\n" + line + "\n" + kStep + "\n");
  return message_of([&] { read_metrics(folder / "metrics.jsonl"); });
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("metrics are lines of JSON whose keys are in the order of the members") {
  CHECK(kStep == R"({"event":"step","epoch":1,"step":20,"learning_rate":0.1,"momentum":0.9,"loss":2.302585092994046,)"
                 R"("accuracy":0.125,"examples_per_second":1234.5,"gradient_norm":3.0,)"
                 R"("gradient_norms":{"conv1":1e-09,"aux1":null,"\"<b>\" & 'ü'":0.5}})");
  CHECK(kEpoch ==
        R"({"event":"epoch","epoch":2,"step":40,"learning_rate":0.05,"train_loss":1.5,"train_accuracy":0.5,)"
        R"("test_loss":null,"test_accuracy":0.3333333333333333,"test_top5":0.95,"examples_per_second":1000.0,)"
        R"("seconds":61.25})");
  EpochMetrics validated = {.epoch = 2, .part = Part::validation, .eval_loss = 0.5, .eval_accuracy = 0.75};
  CHECK_THAT(to_json_line(validated),
             Catch::Contains(R"("validation_loss":0.5,"validation_accuracy":0.75,"validation_top5":0.0,)"));
  CHECK(to_json_line(TestMetrics{.epoch = 2, .step = 40, .validation_accuracy = 0.75, .test_loss = 0.5}) ==
        R"({"event":"test","epoch":2,"step":40,"validation_accuracy":0.75,"test_loss":0.5,"test_accuracy":0.0,)"
        R"("test_top5":0.0})");
  CHECK(to_json_line(Notice{.epoch = 3, .step = 7, .text = "two\nlines"}) ==
        R"({"event":"notice","epoch":3,"step":7,"text":"two\nlines"})");
  CHECK(to_json_line(Notice{.text = "\xff"}) ==
        "{\"event\":\"notice\",\"epoch\":0,\"step\":0,\"text\":\"\xef\xbf\xbd\"}");
}

TEST_CASE("metrics round-trip: order and bits of every number and null as NaN") {
  const TemporaryFolder folder;
  StepMetrics later = a_step();
  later.step = 30;
  later.gradient_norms = {};
  later.auxiliary = {{"aux1", 1.25, 0.5}, {"aux2", kNan, 0.0}};
  CHECK_THAT(
      to_json_line(later),
      Catch::EndsWith(
          R"("gradient_norms":{},"auxiliary":{"aux1":{"loss":1.25,"accuracy":0.5},"aux2":{"loss":null,"accuracy":0.0}}})"));
  const std::string notice = to_json_line(Notice{.epoch = 1, .step = 25, .text = "the loss \"stands\" still"});
  write_file(folder / "metrics.jsonl",
             kStep + "\n" + notice + "\n" + to_json_line(later) + "\n" + kEpoch + "\n" + notice + "\n");
  const Metrics metrics = read_metrics(folder / "metrics.jsonl");
  REQUIRE(metrics.steps.size() == 2);
  REQUIRE(metrics.epochs.size() == 1);
  REQUIRE(metrics.notices.size() == 2);

  const StepMetrics& step = metrics.steps[0];
  CHECK(step.epoch == 1);
  CHECK(step.step == 20);
  CHECK(step.learning_rate == 0.1);
  CHECK(step.momentum == 0.9);
  CHECK(step.loss == 2.302585092994046);
  CHECK(step.accuracy == 0.125);
  CHECK(step.examples_per_second == 1234.5);
  CHECK(step.gradient_norm == 3.0);
  REQUIRE(step.gradient_norms.size() == 3);
  CHECK(step.gradient_norms[0] == std::pair<std::string, double>("conv1", 1e-9));
  CHECK(step.gradient_norms[1].first == "aux1");
  CHECK(std::isnan(step.gradient_norms[1].second));
  CHECK(step.gradient_norms[2] == std::pair<std::string, double>("\"<b>\" & 'ü'", 0.5));
  CHECK(metrics.steps[1].step == 30);
  CHECK(metrics.steps[1].gradient_norms.empty());
  CHECK(step.auxiliary.empty());
  REQUIRE(metrics.steps[1].auxiliary.size() == 2);
  CHECK(metrics.steps[1].auxiliary[0].head == "aux1");
  CHECK(metrics.steps[1].auxiliary[0].loss == 1.25);
  CHECK(metrics.steps[1].auxiliary[0].accuracy == 0.5);
  CHECK(std::isnan(metrics.steps[1].auxiliary[1].loss));

  const EpochMetrics& epoch = metrics.epochs[0];
  CHECK(epoch.epoch == 2);
  CHECK(epoch.step == 40);
  CHECK(epoch.learning_rate == 0.05);
  CHECK(epoch.train_loss == 1.5);
  CHECK(epoch.train_accuracy == 0.5);
  CHECK(std::isnan(epoch.eval_loss));
  CHECK(epoch.eval_accuracy == 1.0 / 3.0);
  CHECK(epoch.eval_top5 == 0.95);
  CHECK(epoch.examples_per_second == 1000.0);
  CHECK(epoch.seconds == 61.25);

  CHECK(metrics.notices[0].epoch == 1);
  CHECK(metrics.notices[0].step == 25);
  CHECK(metrics.notices[0].text == "the loss \"stands\" still");
}

TEST_CASE("metrics with validation images: last_test is valid until the next epoch") {
  const TemporaryFolder folder;
  const auto epoch = [](std::int64_t number) {
    return to_json_line(
               EpochMetrics{.epoch = number, .step = 10 * number, .part = Part::validation, .eval_accuracy = 0.5}) +
           "\n";
  };
  const auto test = [](std::int64_t step, double accuracy) {
    return to_json_line(TestMetrics{.epoch = 1, .step = step, .test_accuracy = accuracy}) + "\n";
  };
  write_file(folder / "metrics.jsonl", epoch(1) + test(10, 0.25) + epoch(2));
  const Metrics longer = read_metrics(folder / "metrics.jsonl");
  CHECK(longer.part() == Part::validation);
  CHECK(longer.epochs[1].eval_accuracy == 0.5);
  CHECK(longer.last_test() == nullptr);
  write_file(folder / "metrics.jsonl", epoch(1) + test(10, 0.25) + epoch(2) + test(20, 0.75));
  const Metrics ended = read_metrics(folder / "metrics.jsonl");
  CHECK(ended.tests.size() == 2);
  REQUIRE(ended.last_test() != nullptr);
  CHECK(ended.last_test()->test_accuracy == 0.75);
}

TEST_CASE("an incomplete last line of metrics is ignored") {
  const TemporaryFolder folder;
  for (const std::string& torn : {std::string(), kStep, kStep.substr(0, 40), std::string("\xc3")}) {
    CAPTURE(torn);
    write_file(folder / "metrics.jsonl", kStep + "\n" + torn);
    CHECK(read_metrics(folder / "metrics.jsonl").steps.size() == 1);
    write_file(folder / "metrics.jsonl", torn);
    CHECK(read_metrics(folder / "metrics.jsonl").steps.empty());
  }
}

TEST_CASE("an error for a damaged metrics line names file and line number") {
  const TemporaryFolder folder;
  const std::string where = (folder / "metrics.jsonl").string() + ": line 3 ";
  CHECK(message_for(folder, kStep).empty());
  CHECK(message_for(folder, kStep.substr(0, 40)) == where + "is not JSON");
  CHECK(message_for(folder, "") == where + "is not JSON");
  CHECK(message_for(folder, "[1]") == where + "is not a JSON object");
  CHECK(message_for(folder, "{}") == where + "has no \"event\"");
  CHECK(message_for(folder, R"({"event":"stop"})") ==
        where + "has the event \"stop\"; use \"step\", \"epoch\", \"test\" or \"notice\"");
  CHECK(message_for(folder, replaced(kStep, "\"loss\"", "\"cost\"")) == where + "has no \"loss\"");
  CHECK(message_for(folder, replaced(kEpoch, "0.95", "\"high\"")) == where + "\"test_top5\" is \"high\", not a number");
  CHECK(message_for(folder, replaced(kStep, "1e-09", "true")) == where + "\"conv1\" is true, not a number");
  CHECK(message_for(folder, replaced(kStep, ":20,", ":2.5,")) == where + "\"step\" is 2.5, not a count");
  CHECK(message_for(folder, replaced(kStep, ":20,", ":-1,")) == where + "\"step\" is -1, not a count");
  CHECK(message_for(folder, replaced(kStep, "0.9,", "1e999,")) == where + "is not JSON");
  CHECK(message_for(folder, replaced(kStep, R"("loss")", R"("auxiliary":5,"loss")")) ==
        where + "\"auxiliary\" is not an object");
  CHECK(message_for(folder, replaced(kStep, R"("loss")", R"("auxiliary":{"aux1":{"loss":1.0}},"loss")")) ==
        where + "has no \"accuracy\"");
  CHECK(message_for(folder, R"({"event":"notice","epoch":1,"step":1,"text":5})") == where + "\"text\" is not a string");
}

TEST_CASE("a missing or unreadable metrics file is an error with its name") {
  const TemporaryFolder folder;
  CHECK(message_of([&] { read_metrics(folder / "none.jsonl"); }) ==
        (folder / "none.jsonl").string() + ": cannot be opened: is it the metrics.jsonl of a run folder?");
  CHECK(message_of([&] { read_metrics(folder.path()); }) == folder.path().string() + ": cannot be read");
}
