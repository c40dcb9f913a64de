#include "core/error.h"
#include "models/weights_file.h"
#include "tests/core/file_size_limit.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"
#include "training/checkpoint.h"
#include "training/run_folder.h"

#include "tests/catch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

using namespace minception;
using namespace minception::testing;
namespace fs = std::filesystem;
using Open = RunFolder::Open;

namespace {

const TrainerState kState = {.epoch = 2,
                             .position = 24,
                             .step = 13,
                             .epoch_sums = {1.0 / 3.0, 7.0},
                             .seconds = 0.1,
                             .line_position = 16,
                             .on_device = {{0.1f, 3.0}, {2e30f, 0.0}},
                             .loss_watch = {.at_chance = 40, .diverged = 7}};

Network make_network(Backend& backend, std::uint64_t seed) {
  Network network(small_googlenet(true, true), backend, {.max_batch = 2, .optimizer = Sgd{.momentum = 0.9}});
  network.initialize(Initialization::xavier_uniform, seed);
  return network;
}

std::vector<std::int64_t> steps_of(const Metrics& metrics) {
  std::vector<std::int64_t> steps;
  for (const StepMetrics& line : metrics.steps) steps.push_back(line.step);
  return steps;
}

}  // namespace

TEST_CASE("a checkpoint restores the state bit for bit") {
  const TemporaryFolder folder;
  const auto backend = make_reference_backend();
  const Network network = make_network(*backend, 1);
  const fs::path path = folder / "c.safetensors";
  write_checkpoint(path, network, kState, R"({"lr":0.1})", {"a", "b", "c", "d"});
  const Checkpoint checkpoint = read_checkpoint(path);
  CHECK(checkpoint.options == R"({"lr":0.1})");
  CHECK(checkpoint.parameters == network.state());
  CHECK(checkpoint.optimizer == network.optimizer_state());
  const TrainerState& state = checkpoint.state;
  CHECK(state.epoch == kState.epoch);
  CHECK(state.position == kState.position);
  CHECK(state.step == kState.step);
  CHECK(state.epoch_sums.loss == kState.epoch_sums.loss);
  CHECK(state.epoch_sums.correct == kState.epoch_sums.correct);
  CHECK(state.seconds == kState.seconds);
  CHECK(state.line_position == kState.line_position);
  REQUIRE(state.on_device.size() == 2);
  CHECK(state.on_device[0].loss == double{0.1f});
  CHECK(state.on_device[1].loss == double{2e30f});
  CHECK(state.loss_watch.at_chance == 40);
  CHECK(state.loss_watch.diverged == 7);

  write_safetensors(folder / "weights", {network.state(), weights_metadata(network, {"a", "b", "c", "d"})});
  CHECK_THROWS_WITH(read_checkpoint(folder / "weights"), Catch::Contains("not a checkpoint"));
  write_file(folder / "torn", read_file(path).substr(0, 5000));
  CHECK_THROWS_WITH(read_checkpoint(folder / "torn"), Catch::Contains("torn"));
}

TEST_CASE("an existing run is overwritten only with Open::overwrite") {
  const TemporaryFolder folder;
  {  // ended before its first epoch and checkpoint: may be replaced
    RunFolder run(folder.path(), Open::fresh);
    run.append(to_json_line(StepMetrics{.epoch = 1, .step = 1}));
    run.append(to_json_line(Notice{.epoch = 1, .step = 2, .text = "not finite"}));
  }
  {
    RunFolder run(folder.path(), Open::fresh);
    run.write("config.json", "first");
    run.append(to_json_line(EpochMetrics{.epoch = 1}));
  }
  CHECK_THROWS_WITH(RunFolder(folder.path(), Open::fresh),
                    Catch::Contains("use resume to continue it, another out, or overwrite"));
  CHECK(read_file(folder / "config.json") == "first");
  fs::create_directory(folder / "tensorboard");
  write_file(folder / "tensorboard/events.out.tfevents.1", "x");
  write_file(folder / "checkpoints/step-000000003.safetensors", "x");
  write_file(folder / "notes.txt", "mine");
  {
    RunFolder run(folder.path(), Open::overwrite);
    run.write("config.json", "second");
  }
  CHECK(read_file(folder / "config.json") == "second");
  CHECK(read_file(folder / "metrics.jsonl").empty());
  CHECK(read_file(folder / "notes.txt") == "mine");
  CHECK(fs::is_empty(folder / "tensorboard"));
  for (const char* file : {"model.safetensors", "checkpoints/step-000000003.safetensors"}) {
    write_file(folder / file, "x");
    CHECK_THROWS_WITH(RunFolder(folder.path(), Open::fresh), Catch::Contains("already contains a run"));
    fs::remove(folder / file);
  }
  CHECK(checkpoints_of(folder.path()).empty());
  CHECK_THROWS_WITH(RunFolder(folder / "config.json", Open::fresh), Catch::Contains("is a file"));
  CHECK_THROWS_WITH(RunFolder(folder / "nothing", Open::resume), Catch::Contains("no run to resume"));
  CHECK(!fs::exists(folder / "nothing"));
}

TEST_CASE("a run folder is locked by one process at a time") {
  const TemporaryFolder folder;
  { RunFolder run(folder.path(), Open::fresh); }
  write_file(folder / "config.json", "{}");
  int ready[2], finished[2];
  REQUIRE((::pipe(ready) == 0 && ::pipe(finished) == 0));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    char byte = 0;
    const RunFolder run(folder.path(), Open::resume);
    const bool told = ::write(ready[1], "x", 1) == 1 && ::read(finished[0], &byte, 1) == 1;
    ::_exit(told ? 0 : 1);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  for (const Open how : {Open::fresh, Open::overwrite, Open::resume}) {
    CHECK_THROWS_WITH(RunFolder::check(folder.path(), how), Catch::Contains("another process"));
    CHECK_THROWS_WITH(RunFolder(folder.path(), how), Catch::Contains("another process"));
  }
  REQUIRE(::write(finished[1], "x", 1) == 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  for (const int end : {ready[0], ready[1], finished[0], finished[1]}) ::close(end);
  CHECK_NOTHROW(RunFolder(folder.path(), Open::resume));
}

TEST_CASE("cut_metrics removes lines after the checkpoint") {
  const TemporaryFolder folder;
  {
    RunFolder run(folder.path(), Open::fresh);
    run.write("config.json", "{}");
    run.append(to_json_line(StepMetrics{.epoch = 1, .step = 10}));
    run.append(to_json_line(Notice{.epoch = 1, .step = 10, .text = "early"}));
    run.append(to_json_line(EpochMetrics{.epoch = 1, .step = 12}));
    run.append(to_json_line(StepMetrics{.epoch = 2, .step = 20}));
    run.append(to_json_line(Notice{.epoch = 2, .step = 20, .text = "late"}));
    run.append(to_json_line(EpochMetrics{.epoch = 2, .step = 24}));
  }
  const std::string all = read_file(folder / "metrics.jsonl");
  write_file(folder / "metrics.jsonl", all + R"({"event":"step","epoch":3,"st)");  // torn by a kill
  RunFolder run(folder.path(), Open::resume);
  const Metrics everything = run.cut_metrics({.epoch = 3, .position = 0, .step = 24});
  CHECK(steps_of(everything) == std::vector<std::int64_t>{10, 20});
  CHECK(everything.epochs.size() == 2);
  CHECK(read_file(folder / "metrics.jsonl") == all);

  // Stopped after training epoch 2 but before its evaluation: its line is removed.
  CHECK(run.cut_metrics({.epoch = 2, .position = 8, .step = 24}).epochs.size() == 1);
  CHECK(read_metrics(folder / "metrics.jsonl").notices.size() == 2);
  run.append(to_json_line(EpochMetrics{.epoch = 2, .step = 24}));
  CHECK(read_file(folder / "metrics.jsonl") == all);

  const Metrics early = run.cut_metrics({.epoch = 2, .position = 1, .step = 19});
  CHECK(steps_of(early) == std::vector<std::int64_t>{10});
  CHECK(early.notices.size() == 1);
  CHECK(early.epochs.size() == 1);
  run.append(to_json_line(StepMetrics{.epoch = 2, .step = 20}));
  CHECK(steps_of(read_metrics(folder / "metrics.jsonl")) == std::vector<std::int64_t>{10, 20});
}

TEST_CASE("cut_metrics keeps the last test unless an epoch is cut") {
  const TemporaryFolder folder;
  {
    RunFolder run(folder.path(), Open::fresh);
    run.write("config.json", "{}");
    run.append(to_json_line(EpochMetrics{.epoch = 1, .step = 12, .part = Part::validation}));
    run.append(to_json_line(EpochMetrics{.epoch = 2, .step = 24, .part = Part::validation}));
    run.append(to_json_line(TestMetrics{.epoch = 1, .step = 24}));
  }
  const std::string all = read_file(folder / "metrics.jsonl");
  RunFolder run(folder.path(), Open::resume);
  CHECK(run.cut_metrics({.epoch = 3, .position = 0, .step = 24}).last_test() != nullptr);
  CHECK(read_file(folder / "metrics.jsonl") == all);
  CHECK(run.cut_metrics({.epoch = 2, .position = 8, .step = 24}).tests.empty());
  CHECK(read_metrics(folder / "metrics.jsonl").tests.empty());
}

TEST_CASE("a line that cannot be written is kept for later and leaves no partial line") {
  const TemporaryFolder folder;
  RunFolder run(folder.path(), Open::fresh);
  run.write("config.json", "{}");
  const auto line = [](std::int64_t step) { return to_json_line(StepMetrics{.epoch = 1, .step = step}); };
  run.append(line(1));
  const std::string first = read_file(folder / "metrics.jsonl");
  {
    const FileSizeLimit full(first.size() + 10);
    for (const std::int64_t step : {2, 3}) {
      CHECK_THROWS_WITH(run.append(line(step)), Catch::Contains("metrics.jsonl: cannot add a line: ") &&
                                                    Catch::EndsWith("; free space on the disk"));
      CHECK(read_file(folder / "metrics.jsonl") == first);
    }
    CHECK_THROWS_WITH(run.flush(), Catch::Contains("cannot add a line"));
  }
  run.append(line(4));
  run.flush();
  CHECK(steps_of(read_metrics(folder / "metrics.jsonl")) == std::vector<std::int64_t>{1, 2, 3, 4});
}

TEST_CASE("restore recreates a missing run folder and rejects one of another run") {
  const TemporaryFolder folder;
  const fs::path path = folder / "run";
  const auto line = [](std::int64_t step) { return to_json_line(StepMetrics{.epoch = 1, .step = step}); };
  RunFolder run(path, Open::fresh);
  run.write("config.json", "{}");
  run.append(line(1));
  CHECK(!run.restore("{}"));
  fs::remove_all(path);
  const char* says = "were removed or replaced during the run";
  CHECK_THROWS_WITH(run.append(line(2)), Catch::Contains(says));
  CHECK_THROWS_WITH(run.write("report.html", "x"), Catch::Contains(says));
  CHECK_THROWS_WITH(run.new_checkpoint(3), Catch::Contains(says));
  CHECK(!fs::exists(path));
  CHECK(run.restore("{\"a\":1}"));
  run.flush();
  CHECK(read_file(path / "config.json") == "{\"a\":1}");
  CHECK(steps_of(read_metrics(path / "metrics.jsonl")) == std::vector<std::int64_t>{1, 2});
  CHECK_THROWS_WITH(RunFolder::check(path, Open::resume), Catch::Contains("another process"));  // locked again
  CHECK(fs::is_directory(run.new_checkpoint(3).parent_path()));

  fs::remove(path / "metrics.jsonl");
  CHECK_THROWS_WITH(run.append(line(3)), Catch::Contains(says));
  CHECK(run.restore("{}"));
  run.flush();
  CHECK(steps_of(read_metrics(path / "metrics.jsonl")) == std::vector<std::int64_t>{1, 2, 3});
  CHECK(read_file(path / "config.json") == "{\"a\":1}");

  fs::rename(path, folder / "moved");
  RunFolder other(path, Open::fresh);
  CHECK_THROWS_WITH(run.restore("{}"), Catch::Contains("another run replaced this one"));
  CHECK_THROWS_WITH(run.append(line(4)), Catch::Contains(says));
  CHECK(read_file(path / "metrics.jsonl").empty());
}

TEST_CASE("keep_checkpoints keeps the newest checkpoints and temporary files are removed") {
  const TemporaryFolder folder;
  {
    RunFolder run(folder.path(), Open::fresh);
    run.write("config.json", "{}");
    for (const std::int64_t step : {999'999'999L, 5L, 1'000'000'000L, 40L}) write_file(run.checkpoint_path(step), "x");
    write_file(folder / "checkpoints/.minception-7-0.tmp", "half");
    write_file(folder / ".minception-7-1.tmp", "half");
    write_file(folder / "checkpoints/mine.txt", "x");
  }
  RunFolder run(folder.path(), Open::resume);
  CHECK(!fs::exists(folder / "checkpoints/.minception-7-0.tmp"));
  CHECK(!fs::exists(folder / ".minception-7-1.tmp"));
  run.keep_checkpoints(2);
  const auto left = checkpoints_of(folder.path());
  REQUIRE(left.size() == 2);
  CHECK(left[0].filename() == "step-1000000000.safetensors");
  CHECK(left[1].filename() == "step-999999999.safetensors");
  CHECK(fs::exists(folder / "checkpoints/mine.txt"));
}
