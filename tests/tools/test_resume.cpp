/// Trainings that are stopped, killed and resumed give bitwise the same results as uninterrupted ones.

#include "models/graph.h"
#include "tests/tools/runs.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include <chrono>
#include <cmath>
#include <thread>

using namespace minception;
using namespace minception::testing;

namespace {

const Command kOptions =
    "--data-dir data --model googlenet_small --image-size 17 --epochs 3 --batch-size 8 --lr 0.05 --momentum 0.9 "
    "--crop-padding 2 --flip --log-every 2 --limit-test 8 ";

}  // namespace

TEST_CASE("killed at random times a run can be resumed with bitwise identical results") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const auto start = std::chrono::steady_clock::now();
  // Two epochs of 6 steps, checkpoints after steps 3, 6, 9 and 12.
  const std::string options = kOptions + "--epochs 2 --checkpoint-every 3 ";
  REQUIRE(run(folder.path(), "train " + options + "--out whole").code == 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const std::string fresh = "train " + options + "--tensorboard --out killed";
  const std::string resume = "train --resume killed --checkpoint-every 3 --tensorboard";
  const char* wanted = std::getenv("MINCEPTION_KILLS");  // scripts/long_tests.sh sets a larger number
  const int wanted_kills = wanted == nullptr ? 12 : std::atoi(wanted);
  std::uint32_t random = 12345;
  int kills = 0, ends = 0, resumed = 0;
  while (kills < wanted_kills) {
    const bool exists = fs::exists(folder / "killed/config.json");
    resumed += exists;
    Running program(folder.path(), exists ? resume : fresh);
    random = random * 1664525u + 1013904223u;
    // Between the start of the process and the end of the training.
    const double delay = (random >> 8) * 0x1p-24 * seconds;
    std::this_thread::sleep_for(std::chrono::duration<double>(delay));
    if (program.over()) {
      INFO(text_of(folder / "stderr.txt"));
      REQUIRE(program.wait() == 0);
      check_same_run(folder / "whole", folder / "killed");
      fs::remove_all(folder / "killed");
      ++ends;
      continue;
    }
    program.signal(SIGKILL);
    program.wait();
    ++kills;
    // All existing files can be read.
    if (fs::exists(folder / "killed/metrics.jsonl")) CHECK_NOTHROW(read_metrics(folder / "killed/metrics.jsonl"));
    for (const fs::path& checkpoint : checkpoints_of(folder / "killed")) {
      INFO(checkpoint);
      CHECK_NOTHROW(read_safetensors(checkpoint));
    }
  }
  if (fs::exists(folder / "killed/config.json")) {
    const Outcome last = run(folder.path(), resume);
    INFO(last.err);
    CHECK(last.code == 0);
  } else {
    CHECK(run(folder.path(), fresh).code == 0);
  }
  check_same_run(folder / "whole", folder / "killed");
  CHECK(resumed > wanted_kills * 2 / 5);
  INFO(ends << " of the runs between kills completed");
}

TEST_CASE("a run with the option names of version 0.1.0 resumes with bitwise identical results") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const Command options = kOptions + "--max-norm 1 --std 0.5 ";
  REQUIRE(run(folder.path(), "train " + options + "--epochs 2 --out whole").code == 0);
  REQUIRE(run(folder.path(), "train " + options + "--epochs 1 --out earlier").code == 0);
  // The names in config.json and in the checkpoints become those of version 0.1.0.
  const std::pair<const char*, const char*> names[] = {
      {"std", "deviation"},         {"scale", "crop-area"},    {"ratio", "crop-aspect"},
      {"eps", "epsilon"},           {"max-norm", "clip-norm"}, {"base-momentum", "lowest-momentum"},
      {"step-size", "step-epochs"}, {"gamma", "step-factor"},  {"pct-start", "one-cycle-rise"},
      {"eta-min", "lowest-lr"}};
  const auto renamed = [&](nlohmann::ordered_json json) {
    for (const auto& [now, earlier] : names) {
      REQUIRE(json.contains(now));
      json[earlier] = json[now];
      json.erase(now);
    }
    return json;
  };
  auto config = nlohmann::ordered_json::parse(text_of(folder / "earlier/config.json"));
  config["options"] = renamed(config["options"]);
  write(folder / "earlier/config.json", config.dump());
  for (const fs::path& path : checkpoints_of(folder / "earlier")) {
    Safetensors checkpoint = read_safetensors(path);
    std::string& saved = checkpoint.metadata.at("options");
    saved = renamed(nlohmann::ordered_json::parse(saved)).dump();
    write_safetensors(path, checkpoint);
  }
  const Outcome resumed = run(folder.path(), "train --resume earlier --epochs 2");
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK(text_of(folder / "earlier/model.safetensors") == text_of(folder / "whole/model.safetensors"));
  CHECK(run(folder.path(), "evaluate --weights earlier/model.safetensors --data-dir data").code == 0);

  // The earlier names work on the command line, too, and print the new ones.
  const Outcome typed =
      run(folder.path(), "train " + kOptions + "--clip-norm=1 --deviation 0.5 --epochs 2 --out typed");
  CHECK(typed.code == 0);
  CHECK(typed.err.find("train: --clip-norm is now called --max-norm\n") != std::string::npos);
  CHECK(typed.err.find("train: --deviation is now called --std\n") != std::string::npos);
  CHECK(text_of(folder / "typed/model.safetensors") == text_of(folder / "whole/model.safetensors"));
  CHECK(run(folder.path(), "train --help").out.find("--clip-norm") == std::string::npos);
}

namespace {

/// Writes a safetensors file with the header of an earlier version. The fixture holds no values: weights get small ones
/// of either sign, variances and scales 1, the optimizer's state 0.
void write_earlier(const fs::path& path, const fs::path& header_file) {
  const std::string header = text_of(header_file);
  const auto json = nlohmann::json::parse(header);
  std::string data;
  for (const auto& [name, tensor] : json.items()) {
    if (name == "__metadata__") continue;
    const std::size_t begin = tensor.at("data_offsets")[0], end = tensor.at("data_offsets")[1];
    data.resize(std::max(data.size(), end));
    const bool one = name.ends_with("running_var") || name.ends_with("bn.weight");
    for (std::size_t i = 0; i < (end - begin) / sizeof(float); ++i) {
      const double small = static_cast<double>(static_cast<std::int64_t>(i * 7919 % 201) - 100) * 1e-3;
      const auto value = static_cast<float>(name.starts_with("optimizer.") ? 0.0 : one ? 1.0 : small);
      std::memcpy(data.data() + begin + i * sizeof(float), &value, sizeof(float));
    }
  }
  const std::uint64_t bytes = header.size();
  write(path, std::string(reinterpret_cast<const char*>(&bytes), sizeof bytes) + header + data);
}

}  // namespace

TEST_CASE("a run of version 0.1.0 evaluates and predicts and resumes") {
  // Files of version 0.1.0, and what it printed for these values.
  const TemporaryFolder folder;
  make_data(folder.path());
  const fs::path fixture = FIXTURE_FOLDER, run_folder = folder / "run";
  fs::create_directories(run_folder / "checkpoints");
  for (const char* name : {"config.json", "metrics.jsonl"}) fs::copy(fixture / name, run_folder / name);
  write_earlier(run_folder / "model.safetensors", fixture / "model.json");
  write_earlier(run_folder / "checkpoints/step-000000006.safetensors", fixture / "checkpoint.json");
  const Outcome evaluated = run(folder.path(), "evaluate --weights run/model.safetensors --data-dir data --json");
  INFO(evaluated.err);
  REQUIRE(evaluated.code == 0);
  const auto found = nlohmann::json::parse(evaluated.out);
  CHECK(found["loss"].get<double>() == Approx(2.307015506).epsilon(1e-4));
  CHECK(found["top1"].get<double>() == Approx(4.0 / 44.0));
  write(folder / "one.pgm", "P5 28 28 255\n" + std::string(28 * 28, 'x'));
  CHECK(run(folder.path(), "predict --weights run/model.safetensors one.pgm").code == 0);

  const Outcome resumed = run(folder.path(), "train --resume run --epochs 2");
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  const Metrics metrics = read_metrics(run_folder / "metrics.jsonl");
  REQUIRE(metrics.epochs.size() == 2);
  CHECK(metrics.epochs[1].learning_rate == Approx(0.005));
  CHECK(metrics.epochs[1].train_loss == Approx(2.5504576).epsilon(0.02));
}

TEST_CASE("the first Ctrl-C ends the step and saves and the second ends the process") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), "train " + kOptions + "--out whole").code == 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    fs::remove_all(folder / "stopped");
    Running program(folder.path(), "train " + kOptions + "--log-every 1 --out stopped");
    while (!program.over() && text_of(folder / "stopped/metrics.jsonl").empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    program.signal(signal);
    CHECK(program.wait() == 128 + signal);
    CHECK_THAT(text_of(folder / "stdout.txt"), Catch::Contains("resume with: train --resume stopped"));
    CHECK(text_of(folder / "stderr.txt").empty());
    CHECK(checkpoints_of(folder / "stopped").size() >= 1);
    CHECK(fs::exists(folder / "stopped/report.html"));
    CHECK(run(folder.path(), "train --resume stopped").code == 0);
    CHECK(text_of(folder / "stopped/model.safetensors") == text_of(folder / "whole/model.safetensors"));
  }
}

TEST_CASE("a resumed run keeps its options and rejects different ones") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), "train " + kOptions + "--out a").code == 0);
  const auto before = snapshot(folder / "a");
  struct Bad {
    std::string command, says;
  };
  const std::vector<Bad> inputs = {
      {"train --resume a --lr 0.1", "--lr 0.1 (was 0.05)"},
      {"train --resume a --batch-size 4 --model googlenet",
       R"(--model "googlenet" (was "googlenet_small"), --batch-size 4 (was 8))"},
      {"train --resume a --seed 2", "--seed 2 (was 1)"},
      {"train --resume a --out b", "cannot be combined"},
      {"train --resume a --overwrite", "cannot be combined"},
      {"train --resume nowhere", "no run to resume"},
      {"train --resume data", "no run to resume"},
      {"train --resume a --data-dir other", "other: no such folder"},
      {"train --resume other_data", "differ from those of the first start of the run"},
  };
  fs::copy(folder / "a", folder / "other_data", fs::copy_options::recursive);
  std::string config = text_of(folder / "other_data/config.json");
  fs::create_directory(folder / "changed");
  for (const auto& entry : fs::directory_iterator(folder / "data")) {
    std::string content = text_of(entry.path());
    content.back() = 3;
    write(folder / "changed" / entry.path().filename().string(), content);
  }
  config.replace(config.find("\"data_dir\": \"data\""), 18, "\"data_dir\": \"changed\"");
  write(folder / "other_data/config.json", config);
  for (const Bad& bad : inputs) {
    const Outcome outcome = run(folder.path(), bad.command);
    INFO(bad.command << "\n" << outcome.err);
    CHECK(outcome.code == 1);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_THAT(outcome.err, Catch::Contains(bad.says));
  }
  CHECK(snapshot(folder / "a") == before);

  // Repeating a value is not a contradiction; a finished run is not changed.
  const Outcome over = run(folder.path(), "train --resume a --lr 0.05");
  CHECK(over.code == 0);
  CHECK_THAT(over.out, Catch::Contains("nothing to do"));
  CHECK(snapshot(folder / "a") == before);
}

TEST_CASE("train --resume accepts other --epochs if the schedule does not depend on it") {
  const TemporaryFolder folder;
  make_data(folder.path());
  // (includes warm-up, and learning rates that change within the run: paper first changes after 8 epochs)
  for (const std::string schedule : {"--schedule constant --warmup-epochs 0.5", "--schedule step --step-size 1",
                                     "--schedule paper --epochs 9 --limit-train 16"}) {
    INFO(schedule);
    const Command options = "train " + kOptions + schedule;
    const bool paper = schedule.find("paper") != std::string::npos;
    const std::string more = paper ? "--epochs 9 " : "--epochs 3 ", fewer = paper ? "--epochs 8 " : "--epochs 1 ";
    REQUIRE(run(folder.path(), options + more + "--overwrite --out whole").code == 0);
    REQUIRE(run(folder.path(), options + fewer + "--overwrite --out a").code == 0);
    const Outcome longer = run(folder.path(), "train --resume a " + more);
    INFO(longer.err);
    CHECK(longer.code == 0);
    check_same_run(folder / "whole", folder / "a");
    if (paper) continue;

    // Stopped in the second epoch of many, then shortened to two epochs.
    fs::remove_all(folder / "b");
    Running program(folder.path(), options + "--epochs 1000 --log-every 1 --out b");
    while (!program.over() && text_of(folder / "b/metrics.jsonl").find("\"epoch\":2") == std::string::npos) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    program.signal(SIGTERM);
    REQUIRE(program.wait() == 128 + SIGTERM);
    REQUIRE(run(folder.path(), options + "--epochs 2 --log-every 1 --overwrite --out two").code == 0);
    const Outcome shorter = run(folder.path(), "train --resume b --epochs 2");
    INFO(shorter.err);
    CHECK(shorter.code == 0);
    check_same_run(folder / "two", folder / "b");
    const auto before = snapshot(folder / "b");
    const Outcome too_short = run(folder.path(), "train --resume b --epochs 1");
    CHECK(too_short.code == 1);
    CHECK(too_short.err == "train: b: --epochs 1: the run is already in epoch 3; resume it with at least that many\n");
    CHECK_THAT(run(folder.path(), "train --resume b").out, Catch::Contains("nothing to do"));
    CHECK(snapshot(folder / "b") == before);
  }
}

TEST_CASE("train --resume with --epochs keeps the new number after a kill before the next checkpoint") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), "train " + kOptions + "--out whole").code == 0);
  REQUIRE(run(folder.path(), "train " + kOptions + "--epochs 1 --out a").code == 0);
  const auto checkpoints = checkpoints_of(folder / "a");
  Running program(folder.path(), "train --resume a --epochs 3");
  while (!program.over() && text_of(folder / "a/config.json").find("\"epochs\": 3") == std::string::npos) {
  }
  program.signal(SIGKILL);
  CHECK(program.wait() == 128 + SIGKILL);
  REQUIRE(checkpoints_of(folder / "a") == checkpoints);
  CHECK(run(folder.path(), "train --resume a").code == 0);
  check_same_run(folder / "whole", folder / "a");
}

TEST_CASE("train --resume with other --epochs suggests --init if the schedule depends on it") {
  const TemporaryFolder folder;
  make_data(folder.path());
  for (const std::string schedule : {"cosine", "one-cycle"}) {
    REQUIRE(run(folder.path(), "train " + kOptions + "--epochs 1 --overwrite --out a --schedule " + schedule).code ==
            0);
    const auto before = snapshot(folder / "a");
    const Outcome outcome = run(folder.path(), "train --resume a --epochs 2");
    CHECK(outcome.code == 1);
    CHECK(outcome.err ==
          "train: a/checkpoints/step-000000006.safetensors: the learning rates of --schedule " + schedule +
              " depend on the number of epochs: --epochs 2 (was 1); leave it out to resume the run, or start a new "
              "schedule from these weights: train --init a/checkpoints/step-000000006.safetensors --out FOLDER\n");
    CHECK(snapshot(folder / "a") == before);
    const Outcome other = run(folder.path(), "train --resume a --epochs 2 --seed 3");
    CHECK_THAT(other.err, Catch::Contains("--epochs 2 (was 1), --seed 3 (was 1); leave them out"));
    // The suggested command works.
    CHECK(run(folder.path(), "train " + kOptions + "--epochs 2 --schedule " + schedule +
                                 " --init a/checkpoints/step-000000006.safetensors --overwrite --out b")
              .code == 0);
  }
}

TEST_CASE("train --resume skips a damaged checkpoint and uses the one before it") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), "train " + kOptions + "--out a").code == 0);
  const auto checkpoints = checkpoints_of(folder / "a");
  REQUIRE(checkpoints.size() == 3);
  const std::string curve_before = curve(folder / "a");
  const std::string weights_before = text_of(folder / "a/model.safetensors");
  fs::resize_file(checkpoints[0], 10'000);
  const Outcome outcome = run(folder.path(), "train --resume a");
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.err, Catch::Contains("using the checkpoint before it"));
  CHECK_THAT(outcome.out, Catch::Contains("resuming after step 12 of 18"));
  CHECK(curve(folder / "a") == curve_before);
  CHECK(text_of(folder / "a/model.safetensors") == weights_before);
}

TEST_CASE("a run folder in use is rejected") {
  const TemporaryFolder folder;
  make_data(folder.path());
  Running program(folder.path(), "train " + kOptions + "--epochs 1000 --out a");
  while (!program.over() && !fs::exists(folder / "a/config.json")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::string command = std::string("cd '") + folder.path().string() + "' && " + PROGRAM_FOLDER + "/train ";
  for (const char* how : {"--resume a", "--data-dir data --out a", "--data-dir data --out a --overwrite"}) {
    CHECK(std::system((command + how + " > other_out.txt 2> other_err.txt").c_str()) != 0);
    CHECK_THAT(text_of(folder / "other_err.txt"), Catch::Contains("another process is using this run folder"));
  }
  program.signal(SIGINT);
  CHECK(program.wait() == 130);
}

TEST_CASE("a full disk is reported in one line and the run resumes from its last checkpoint") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), "train " + kOptions + "--out whole").code == 0);
  REQUIRE(run(folder.path(), "train " + kOptions + "--epochs 1 --out a").code == 0);
  const auto checkpoints = checkpoints_of(folder / "a");
  // A file size limit (1 MiB, in blocks of 512 bytes) simulates a full disk.
  const Outcome full =
      run(folder.path(), "train --resume a --epochs 3 --checkpoint-every 1", "trap '' XFSZ && ulimit -f 2048");
  INFO(full.err);
  CHECK(full.code == 1);
  CHECK(std::count(full.err.begin(), full.err.end(), '\n') == 1);
  CHECK_THAT(full.err, Catch::Contains("step-000000007.safetensors: cannot write its bytes"));
  CHECK(checkpoints_of(folder / "a") == checkpoints);
  CHECK(run(folder.path(), "train --resume a --epochs 3").code == 0);
  check_same_run(folder / "whole", folder / "a");
}

TEST_CASE("runs with AdamW and EMA and clipping and accumulation resume with the same bits") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const Command options = "train " + kOptions +
                          "--momentum 0 --optimizer adamw --lr 0.002 --weight-decay 0.01 --ema 0.9 --max-norm 1 "
                          "--accumulate 2 --freeze conv1 --freeze conv2,inception3a ";
  REQUIRE(run(folder.path(), options + "--out whole").code == 0);
  REQUIRE(run(folder.path(), options + "--epochs 1 --out parts").code == 0);
  const Outcome rest = run(folder.path(), "train --resume parts --epochs 3");
  INFO(rest.err);
  REQUIRE(rest.code == 0);
  check_same_run(folder / "whole", folder / "parts");

  // The exported weights are averages, and a checkpoint is evaluated with its averages.
  const auto exported = read_safetensors(folder / "whole/model.safetensors").tensors;
  const auto checkpoint = read_safetensors(checkpoints_of(folder / "whole").front()).tensors;
  CHECK(exported.at("fc.weight") == checkpoint.at("average.fc.weight"));
  CHECK(exported.at("fc.weight") != checkpoint.at("fc.weight"));
  CHECK(exported.at("conv2.conv.weight") == checkpoint.at("conv2.conv.weight"));
  CHECK(checkpoint.contains("optimizer.exp_avg_sq.fc.weight"));
  CHECK(exported.size() * 2 < checkpoint.size());
  const auto evaluated = [&](const fs::path& weights) {
    const std::string out = run(folder.path(), "evaluate --data-dir data --weights " + weights.string()).out;
    return out.substr(out.find(": "), 300);  // without file names
  };
  CHECK(evaluated(folder / "whole/model.safetensors") == evaluated(checkpoints_of(folder / "whole").front()));

  const Outcome other = run(folder.path(), "train --resume parts --ema 0.5 --beta1 0.5");
  CHECK(other.code == 1);
  CHECK_THAT(other.err, Catch::Contains("--beta1 0.5 (was 0.9), --ema 0.5 (was 0.9)"));
  CHECK(run(folder.path(), "train --resume parts --beta1 0.9 --freeze conv1,conv2 --freeze inception3a").code == 0);
}

TEST_CASE("train --reset-head uses weights for other classes with a new last layer") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), "train " + kOptions + "--epochs 1 --out first").code == 0);
  // The same weights, changed to a model for three classes.
  Safetensors other = read_safetensors(folder / "first/model.safetensors");
  other.tensors.at("fc.weight") = {DType::f32, {3, 1024}, std::vector<std::byte>(3 * 1024 * 4)};
  other.tensors.at("fc.bias") = {DType::f32, Shape{3}, std::vector<std::byte>(3 * 4)};
  nlohmann::json model = nlohmann::json::parse(with_classes(other.metadata.at("model"), 10, 3));
  model["classes"] = 3;
  other.metadata["model"] = model.dump();
  other.metadata["class_names"] = R"(["cat","dog","cow"])";
  write_safetensors(folder / "other.safetensors", other);
  const std::string transfer = "train " + kOptions + "--epochs 1 --init other.safetensors ";
  const Outcome refused = run(folder.path(), transfer + "--out second");
  CHECK(refused.code == 1);
  CHECK_THAT(
      refused.err,
      Catch::Contains("other.safetensors: was trained for 3 classes but fashion-mnist has 10; use --reset-head 10"));
  const Outcome outcome = run(folder.path(), transfer + "--reset-head 10 --freeze conv,inception --out third");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const auto state = read_safetensors(folder / "third/model.safetensors").tensors;
  for (const auto& [name, tensor] : state) {
    if (!name.starts_with("fc.")) CHECK(tensor == other.tensors.at(name));
  }
  CHECK(state.at("fc.weight").shape == Shape{10, 256});
}

TEST_CASE("streamed and resident images give the same bits") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), "train " + kOptions + "--out resident").code == 0);
  REQUIRE(run(folder.path(), "train " + kOptions + "--stream --num-workers 3 --out streamed").code == 0);
  check_same_run(folder / "resident", folder / "streamed");
}

TEST_CASE("a diverging run reports the step and layer and records them in the run folder") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const Outcome outcome =
      run(folder.path(), "train " + kOptions + "--model googlenet --lr 1e30 --momentum 0 --out wild");
  INFO(outcome.err);
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Catch::Contains("gave numbers that are not finite, first in"));
  CHECK_THAT(outcome.err, Catch::Contains("try a lower --lr"));
  CHECK(read_metrics(folder / "wild/metrics.jsonl").notices.size() == 1);
  CHECK(outcome.err.find("gave numbers") == outcome.err.rfind("gave numbers"));
  CHECK(fs::exists(folder / "wild/report.html"));
  // The folder has no weights yet, so the next attempt may use it.
  CHECK(run(folder.path(), "train " + kOptions + "--model googlenet --out wild").code == 0);
}
