#pragma once
/// Training processes that are stopped while they run, and their results.

#include "tests/tools/programs.h"
#include "training/metrics.h"
#include "training/run_folder.h"

#include "tests/catch.h"

#include <signal.h>
#include <unistd.h>

#include <string>

namespace minception::testing {

/// A process that runs in parallel with the test. Its output goes to stdout.txt and stderr.txt of the folder.
class Running {
 public:
  Running(const fs::path& folder, const std::string& command, const std::string& before = "true") {
    const std::string line = "cd '" + folder.string() + "' && " + before + " && exec " + PROGRAM_FOLDER + "/" +
                             command + " > stdout.txt 2> stderr.txt";
    process_ = ::fork();
    if (process_ == 0) {
      ::execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
  }
  void signal(int number) const { ::kill(process_, number); }
  bool over() {
    if (over_) return true;
    over_ = ::waitpid(process_, &status_, WNOHANG) == process_;
    return over_;
  }
  /// The exit code, or 128 + signal number if a signal ended the process.
  int wait() {
    if (!over_) ::waitpid(process_, &status_, 0);
    over_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

 private:
  pid_t process_ = -1;
  int status_ = 0;
  bool over_ = false;
};

inline void make_data(const fs::path& folder) {
  fs::create_directory(folder / "data");
  write_dataset(folder / "data", 44);  // in batches of 8: 6 steps per epoch, the last with 4 samples
}

/// The lines of metrics.jsonl without times.
inline std::string curve(const fs::path& run) {
  std::string text;
  Metrics metrics = read_metrics(run / "metrics.jsonl");
  for (StepMetrics& line : metrics.steps) {
    line.examples_per_second = 0.0;
    text += to_json_line(line) + "\n";
  }
  for (EpochMetrics& line : metrics.epochs) {
    line.examples_per_second = line.seconds = 0.0;
    text += to_json_line(line) + "\n";
  }
  return text;
}

inline void check_same_run(const fs::path& a, const fs::path& b) {
  CHECK(curve(a) == curve(b));
  CHECK(text_of(a / "model.safetensors") == text_of(b / "model.safetensors"));
  CHECK(text_of(a / "evaluation.json") == text_of(b / "evaluation.json"));
}

}  // namespace minception::testing
