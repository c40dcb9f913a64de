/// Runs that lose their output, terminal, disk or folder keep all finished work.

#include "tests/tools/refusals.h"
#include "tests/tools/runs.h"

#include <nlohmann/json.hpp>

#include <pty.h>

#include <chrono>
#include <functional>
#include <thread>

using namespace minception;
using namespace minception::testing;

namespace {

const Command kTrain =
    "train --data-dir data --model googlenet_small --image-size 17 --epochs 2 --batch-size 8 --lr 0.05 --momentum 0.9 "
    "--log-every 1 --limit-test 8 ";

/// Five times the images of make_data, so that a run is far from its end when a test sees the first steps.
void make_more_data(const fs::path& folder) {
  fs::create_directory(folder / "data");
  write_dataset(folder / "data", 220);
}

void wait_until(Running& program, const std::function<bool()>& condition) {
  while (!program.over() && !condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

bool has_lines(const fs::path& run) {
  return fs::exists(run / "metrics.jsonl") && fs::file_size(run / "metrics.jsonl") > 0;
}

std::int64_t lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

/// Runs a shell command in the folder; $P is the folder of the tools.
int shell(const fs::path& folder, const std::string& command) {
  const std::string line =
      "cd '" + folder.string() + "' && P='" + PROGRAM_FOLDER + "' && { " + command + "; } 2> stderr.txt";
  const int status = std::system(line.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A run whose standard streams and controlling terminal are a new terminal.
class OnTerminal {
 public:
  OnTerminal(const fs::path& folder, const std::string& command) {
    process_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (process_ == 0) {
      const std::string line = "cd '" + folder.string() + "' && " + command;
      ::execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
  }
  /// Reads the output until the condition holds, since the process blocks when the terminal's buffer is full.
  void read_until(const std::function<bool()>& condition) const {
    char part[4096];
    while (!condition() && ::read(terminal_, part, sizeof part) > 0) {
    }
  }
  void close_terminal() const { ::close(terminal_); }
  int wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  int terminal_ = -1;
  pid_t process_ = -1;
};

}  // namespace

TEST_CASE("signals ignored at the start of a run stay ignored") {
  const TemporaryFolder folder;
  make_more_data(folder.path());
  REQUIRE(run(folder.path(), kTrain + "--out whole").code == 0);
  Running program(folder.path(), kTrain + "--out run", "trap '' HUP INT TERM PIPE");
  wait_until(program, [&] { return has_lines(folder / "run"); });
  REQUIRE(!program.over());
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) program.signal(signal);
  CHECK(program.wait() == 0);
  check_same_run(folder / "whole", folder / "run");

  // Other signals still stop it.
  Running other(folder.path(), kTrain + "--out other", "trap '' HUP");
  wait_until(other, [&] { return has_lines(folder / "other"); });
  other.signal(SIGHUP);
  other.signal(SIGTERM);
  CHECK(other.wait() == 128 + SIGTERM);
  CHECK(run(folder.path(), "train --resume other").code == 0);
  check_same_run(folder / "whole", folder / "other");
}

TEST_CASE("a second Ctrl-C ends a run immediately and it can be resumed") {
  const TemporaryFolder folder;
  make_more_data(folder.path());
  REQUIRE(run(folder.path(), kTrain + "--out whole").code == 0);
  Running program(folder.path(), kTrain + "--out run");
  wait_until(program, [&] { return has_lines(folder / "run"); });
  for (int i = 0; i < 200 && !program.over(); ++i) program.signal(SIGINT);
  CHECK(program.wait() == 128 + SIGINT);
  CHECK(run(folder.path(), "train --resume run").code == 0);
  check_same_run(folder / "whole", folder / "run");
}

TEST_CASE("a run without standard output completes and exits with kOutputLost") {
  const TemporaryFolder folder;
  make_data(folder.path());
  REQUIRE(run(folder.path(), kTrain + "--out whole").code == 0);
  const std::string train = "$P/" + std::string(kTrain);
  const std::string lost =
      "train: the output could not be written: standard output is closed or its disk is full; run holds "
      "model.safetensors, model_best.safetensors (epoch 1, the best on the test images), checkpoints, metrics.jsonl "
      "and report.html\n";
  for (const char* output : {">&-", "<&- >&-", "> /dev/full"}) {
    INFO(output);
    CHECK(shell(folder.path(), train + "--overwrite --out run " + output) == 3);
    CHECK(text_of(folder / "stderr.txt") == lost);
    check_same_run(folder / "whole", folder / "run");
    CHECK(text_of(folder / "run/.lock").empty());
    CHECK(nlohmann::json::accept(text_of(folder / "run/config.json")));
  }
  CHECK(shell(folder.path(), "{ " + train + "--overwrite --out run; echo $? > code; } | head -1 > /dev/null") == 0);
  CHECK(text_of(folder / "code") == "3\n");
  CHECK(text_of(folder / "stderr.txt") == lost);
  check_same_run(folder / "whole", folder / "run");
  // Without stderr only the exit code reports it.
  CHECK(shell(folder.path(), train + "--overwrite --out run >&- 2>&-") == 3);
  check_same_run(folder / "whole", folder / "run");

  // A stopped run reports how to resume on the remaining stream.
  CHECK(
      shell(folder.path(), "{ $P/" + std::string(kTrain + "--epochs 1000 --out stopped") +
                               " & } >&-; for i in $(seq 3000); do [ -s stopped/metrics.jsonl ] && break; sleep 0.01; "
                               "done; kill -TERM $!; wait $!") == 143);
  CHECK_THAT(text_of(folder / "stderr.txt"), Catch::Contains("resume with: train --resume stopped\n"));
  CHECK(lines_of(text_of(folder / "stderr.txt")) == 1);
}

TEST_CASE("closing the terminal saves a checkpoint and a run under nohup continues") {
  const TemporaryFolder folder;
  make_more_data(folder.path());
  REQUIRE(run(folder.path(), kTrain + "--out whole").code == 0);
  const std::string train = "exec '" + std::string(PROGRAM_FOLDER) + "'/" + std::string(kTrain);
  for (const bool hangup_ignored : {false, true}) {
    const fs::path path = folder / (hangup_ignored ? "ignoring" : "stopped");
    const OnTerminal program(folder.path(), (hangup_ignored ? "trap '' HUP; " : "") + train + "--out " + path.string());
    program.read_until([&] { return has_lines(path); });
    program.close_terminal();
    CHECK(program.wait() == (hangup_ignored ? 3 : 128 + SIGHUP));
    if (!hangup_ignored) {
      CHECK(!checkpoints_of(path).empty());
      CHECK(run(folder.path(), "train --resume " + path.string()).code == 0);
    }
    check_same_run(folder / "whole", path);
  }
}

TEST_CASE("a result that cannot be saved does not affect the others and the message says how to resume") {
  const TemporaryFolder folder;
  make_more_data(folder.path());
  REQUIRE(run(folder.path(), kTrain + "--out whole").code == 0);
  for (const std::string file : {"evaluation.json", "model.safetensors", "report.html"}) {
    INFO(file);
    fs::remove_all(folder / "run");
    Running program(folder.path(), kTrain + "--epochs 1 --out run");
    wait_until(program, [&] { return fs::exists(folder / "run/config.json"); });
    fs::create_directory(folder / "run" / file);  // a file cannot be renamed onto a folder
    CHECK(program.wait() == 1);
    const std::string line = text_of(folder / "stderr.txt");
    CHECK(lines_of(line) == 1);
    CHECK_THAT(line, Catch::StartsWith("train: run/" + file + ": "));
    const bool is_report = file == "report.html";
    CHECK_THAT(line, Catch::Contains(is_report ? "the run is complete and saved; the tool report makes its report"
                                               : "resume with: train --resume run"));
    for (const char* other : {"evaluation.json", "model.safetensors", "report.html", "metrics.jsonl"}) {
      // (report.html needs evaluation.json, which is a folder here)
      if (other == std::string("report.html") && file == "evaluation.json") continue;
      CHECK(fs::is_regular_file(folder / "run" / other) == (other != file));
    }
    CHECK(checkpoints_of(folder / "run").size() == 1);
    fs::remove(folder / "run" / file);
    if (is_report) CHECK(run(folder.path(), "report run").code == 0);
    const Outcome resumed = run(folder.path(), "train --resume run --epochs 2");
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    check_same_run(folder / "whole", folder / "run");
  }
}

TEST_CASE("a full disk at the first write does not block a new run") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const Outcome full = run(folder.path(), kTrain + "--out run", "ulimit -f 0");
  // (the limit also applies to the files that receive the output)
  CHECK(full.code == 1);
  const Outcome again = run(folder.path(), kTrain + "--epochs 1 --out run");
  INFO(again.err);
  CHECK(again.code == 0);
}

TEST_CASE("a run folder that is removed or replaced during the run is restored or left alone") {
  const TemporaryFolder folder;
  make_more_data(folder.path());
  REQUIRE(run(folder.path(), kTrain + "--out whole").code == 0);
  const auto start = [&] {
    auto program = std::make_unique<Running>(folder.path(), kTrain + "--out run");
    wait_until(*program, [&] { return has_lines(folder / "run"); });
    return program;
  };
  SECTION("removed: the folder is restored and the run can be resumed") {
    const auto program = start();
    fs::rename(folder / "run", folder / "gone");
    fs::remove_all(folder / "gone");
    CHECK(program->wait() == 1);
  }
  SECTION("one file removed: the run can be resumed") {
    const auto program = start();
    fs::remove(folder / "run/metrics.jsonl");
    CHECK(program->wait() == 1);
  }
  SECTION("replaced with another run: the other run is not changed") {
    const auto program = start();
    fs::rename(folder / "run", folder / "gone");
    fs::copy(folder / "whole", folder / "run", fs::copy_options::recursive);
    const auto before = snapshot(folder / "run");
    CHECK(program->wait() == 1);
    CHECK(text_of(folder / "stderr.txt") ==
          "train: run: the folder, or files in it, were removed or replaced during the run\n");
    CHECK(snapshot(folder / "run") == before);
    return;
  }
  CHECK(text_of(folder / "stderr.txt") ==
        "train: run: the folder, or files in it, were removed or replaced during the run; resume with: train "
        "--resume run\n");
  CHECK(checkpoints_of(folder / "run").size() == 1);
  CHECK(run(folder.path(), "train --resume run").code == 0);
  check_same_run(folder / "whole", folder / "run");
}

TEST_CASE("a read-only run folder is rejected before training starts") {
  const TemporaryFolder folder;
  make_data(folder.path());
  CHECK(run(folder.path(), kTrain + "--epochs 1 --out run").code == 0);
  const bool root = ::geteuid() == 0;
  const std::vector<Refusal> refusals = {
      {kTrain + "--out /proc/run", root ? "/proc/run" : "/proc: cannot write a run there: Permission denied"}};
  check_refused(folder.path(), refusals);
  if (root) return;  // root can write everywhere else
  fs::permissions(folder / "run", fs::perms::owner_read | fs::perms::owner_exec);
  const Outcome outcome = run(folder.path(), "train --resume run --epochs 2");
  fs::permissions(folder / "run", fs::perms::owner_all);
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Catch::Contains("run: cannot write a run there: Permission denied"));
}

TEST_CASE("BatchNorm with one value per channel is rejected before training starts") {
  const TemporaryFolder folder;
  make_data(folder.path());  // 44 images; at 17x17 the last maps are 1x1
  const std::string layer =
      "inception5a.branch1.bn: expected more than 1 value per channel when training, got an input of [1,64,1,1]; use "
      "a "
      "larger batch or image";
  const std::vector<Refusal> refusals = {{kTrain + "--batch-size 1 --out run", "train: " + layer},
                                         {kTrain + "--limit-train 1 --out run", layer},
                                         {kTrain + "--batch-size 1 --profile --out run", layer}};
  check_refused(folder.path(), refusals);
  for (const std::string options : {"--limit-train 42 ", "--limit-train 41 --batch-size 7 ", "--limit-train 40 ",
                                    "--limit-train 9 --model googlenet ", "--limit-train 9 --image-size 33 "}) {
    INFO(options);
    const Outcome outcome = run(folder.path(), kTrain + options + "--epochs 1 --overwrite --out run");
    CHECK(outcome.code == 0);
    CHECK(outcome.err == "");
  }
  // A last batch of one image is skipped; the image differs between epochs.
  for (const std::string options : {"--limit-train 41 ", "--limit-train 41 --accumulate 2 "}) {
    const Outcome outcome = run(folder.path(), kTrain + options + "--epochs 2 --overwrite --out run");
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.err, Catch::Contains("warning: 41 images in batches of 8 leave one over, and BatchNorm cannot"));
    const std::string steps = options.size() > 20 ? "\"step\":6," : "\"step\":10,";
    CHECK_THAT(text_of(folder.path() / "run/metrics.jsonl"),
               Catch::Contains("{\"event\":\"epoch\",\"epoch\":2," + steps));
  }
}

TEST_CASE("repeated options are rejected for text values and use the last value for numbers") {
  const TemporaryFolder folder;
  make_data(folder.path());
  std::vector<Refusal> refusals = {
      {"train --data fashion-mnist --data mnist --out run", "train: --data is given 2 times"},
      {"train --out run --out run", "train: --out is given 2 times"},
      {"train --resume run --resume run", "train: --resume is given 2 times"},
      {"evaluate --weights a --data mnist --data mnist", "evaluate: --data is given 2 times"},
      {"evaluate --weights a --weights b", "evaluate: --weights is given 2 times"},
      {"export_images --out a --out b", "export_images: --out is given 2 times"},
      {"export --weights w --onnx a --onnx b", "export: --onnx is given 2 times"},
      {"import --onnx a --out a --out b", "import: --out is given 2 times"},
      {"report a --out b --out c", "--out"},
      {"summarize --model nin --model nin", "summarize: --model is given 2 times"}};
  for (const char* study : {"compare_models", "compare_variants", "minimum_size", "transfer"}) {
    refusals.push_back({std::string(study) + " --out a --out b", std::string(study) + ": --out is given 2 times"});
  }
  check_refused(folder.path(), refusals);
  // Lists are appended to, and flags may be repeated.
  const Outcome outcome =
      run(folder.path(), std::string(kTrain + "--epochs 1 --out run ") + "--freeze conv1 --freeze conv2 --flip --flip");
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  // Bypasses Command, which would give the option only once.
  const std::string again = std::string(kTrain) + " --lr 1 --epochs 1 --lr 0.25 --overwrite --out run";
  REQUIRE(run(folder.path(), again).code == 0);
  CHECK_THAT(text_of(folder / "run/config.json"), Catch::Contains("\"lr\": 0.25"));
}
