#include "training/run_folder.h"
#include "core/error.h"
#include "core/safetensors.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <span>
#include <sstream>
#include <system_error>
#include <utility>

namespace minception {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles[] = {"config.json",  "metrics.jsonl",   "model.safetensors", "model_best.safetensors",
                                  "profile.json", "evaluation.json", "report.html"};
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kLock = ".lock";
constexpr const char* kCheckpointFolder = "checkpoints";
constexpr const char* kEventFolder = "tensorboard";

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// Entries of a folder; empty if it does not exist.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    files.push_back(entry->path());
  }
  return files;
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  require(!error, path.string(), ": cannot be removed: ", error.message());
}

/// Removes temporary files left by a kill.
void remove_unfinished(const fs::path& folder) {
  for (const fs::path& file : files_in(folder)) {
    const std::string name = file.filename().string();
    if (name.starts_with(".minception-") && name.ends_with(".tmp")) remove_file(file);
  }
}

/// Returns a descriptor that holds the lock, or -1 if another process holds it.
int try_lock(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  require(descriptor >= 0, path.string(), ": cannot be created: ", system_message());
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  const bool taken = errno == EWOULDBLOCK;
  const std::string reason = system_message();
  ::close(descriptor);
  require(taken, path.string(), ": cannot be locked: ", reason);
  return -1;
}

/// Whether the open file is still the one at this path.
bool is_same_file(int descriptor, const fs::path& path) {
  struct stat opened = {}, named = {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

int open_metrics(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  require(descriptor >= 0, path.string(), ": cannot be opened: ", system_message());
  return descriptor;
}

/// Contents of an open file, even if it has been unlinked.
std::string content_of(int descriptor) {
  std::string text;
  char part[4096];
  for (ssize_t count = 0; (count = ::pread(descriptor, part, sizeof part, static_cast<off_t>(text.size()))) > 0;) {
    text.append(part, static_cast<std::size_t>(count));
  }
  return text;
}

/// Whether a run has something to protect: weights, checkpoints or a complete epoch. A run that ended before, for
/// instance because its learning rate was too high, starts from the beginning anyway.
bool has_results(const fs::path& run) {
  if (is_there(run / "model.safetensors") || !checkpoints_of(run).empty()) return true;
  try {
    return is_there(run / kMetrics) && !read_metrics(run / kMetrics).epochs.empty();
  } catch (const Error&) {
    return true;  // not a file of this library
  }
}

void write_text(const fs::path& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span<const char>(text.data(), text.size())));
}

/// The nearest existing ancestor of a path, or the path itself: where new files would be created.
fs::path existing_part(fs::path path) {
  std::error_code error;
  for (; !path.empty() && !fs::exists(path, error); path = path.parent_path()) {
  }
  return path.empty() ? fs::path(".") : path;
}

[[noreturn]] void fail_locked(const fs::path& run) {
  fail(run.string(), ": another process is using this run folder; wait for it, or choose another folder");
}

}  // namespace

void RunFolder::check(const fs::path& path, Open how) {
  std::error_code error;
  if (is_there(path) && !fs::is_directory(path, error)) fail(path.string(), ": is a file; name a folder for the run");
  const fs::path writable = existing_part(path);
  const int reason = !fs::is_directory(writable, error)             ? ENOTDIR
                     : ::access(writable.c_str(), W_OK | X_OK) == 0 ? 0
                                                                    : errno;
  require(reason == 0, writable.string(), ": cannot write a run there: ", system_message(reason),
          "; choose another folder");
  for (const char* file : kFiles) {
    require(!fs::is_directory(path / file, error), (path / file).string(),
            ": is a folder; remove it or choose another ", Field{"out"});
  }
  if (is_there(path / kLock)) {
    const int lock = try_lock(path / kLock);
    if (lock < 0) fail_locked(path);
    ::close(lock);
  }
  if (how == Open::resume) {
    require(is_there(path / "config.json"), path.string(), ": no run to resume: config.json is missing");
    return;
  }
  require(how == Open::overwrite || !has_results(path), path.string(), ": already contains a run; use ",
          Field{"resume"}, " to continue it, another ", Field{"out"}, ", or ", Field{"overwrite"}, " to replace it");
}

RunFolder::RunFolder(fs::path path, Open how) : path_(std::move(path)) {
  check(path_, how);
  std::error_code error;
  fs::create_directories(path_ / kCheckpointFolder, error);
  require(!error, path_.string(), ": cannot make the folder: ", error.message());
  lock_ = try_lock(path_ / kLock);
  if (lock_ < 0) fail_locked(path_);
  remove_unfinished(path_);
  remove_unfinished(path_ / kCheckpointFolder);
  if (how != Open::resume) {
    // Checkpoints first, so that a partly removed run cannot be resumed.
    for (const fs::path& checkpoint : checkpoints_of(path_)) remove_file(checkpoint);
    for (const fs::path& events : files_in(path_ / kEventFolder)) remove_file(events);
    for (const char* file : kFiles) remove_file(path_ / file);
  }
  metrics_ = open_metrics(path_ / kMetrics);
}

RunFolder::~RunFolder() {
  if (metrics_ >= 0) ::close(metrics_);
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::write(const char* name, const std::string& text) {
  check_in_place();
  write_text(path_ / name, text);
}

bool RunFolder::in_place() const {
  return is_same_file(lock_, path_ / kLock) && is_same_file(metrics_, path_ / kMetrics);
}

void RunFolder::check_in_place() const {
  require(in_place(), path_.string(), ": the folder, or files in it, were removed or replaced during the run");
}

void RunFolder::append(const std::string& line) {
  pending_ += line + "\n";
  flush();
}

void RunFolder::flush() {
  if (pending_.empty()) return;
  check_in_place();
  const ssize_t written = ::write(metrics_, pending_.data(), pending_.size());
  if (written == static_cast<ssize_t>(pending_.size())) return pending_.clear();
  const std::string reason = written < 0 ? system_message() : system_message(ENOSPC);
  // Removes the part of the line that was written.
  struct stat status = {};
  if (written > 0 && ::fstat(metrics_, &status) == 0) {
    [[maybe_unused]] const int ignored = ::ftruncate(metrics_, status.st_size - written);
  }
  fail((path_ / kMetrics).string(), ": cannot add a line: ", reason, "; free space on the disk");
}

bool RunFolder::restore(const std::string& config) {
  if (in_place()) return false;
  if (is_there(path_ / kLock)) {
    require(is_same_file(lock_, path_ / kLock), path_.string(),
            ": another run replaced this one while it was running; nothing more was written");
  } else {
    std::error_code error;
    fs::create_directories(path_, error);
    const int lock = try_lock(path_ / kLock);
    if (lock < 0) fail_locked(path_);
    ::close(std::exchange(lock_, lock));
  }
  if (!is_same_file(metrics_, path_ / kMetrics)) {
    write_text(path_ / kMetrics, content_of(metrics_));
    ::close(std::exchange(metrics_, open_metrics(path_ / kMetrics)));
  }
  if (!is_there(path_ / "config.json")) write_text(path_ / "config.json", config);
  return true;
}

Metrics RunFolder::cut_metrics(const TrainerState& state) {
  Metrics metrics = read_metrics(path_ / kMetrics);
  std::erase_if(metrics.steps, [&](const StepMetrics& line) { return line.step > state.step; });
  std::erase_if(metrics.notices, [&](const Notice& line) { return line.step > state.step; });
  std::erase_if(metrics.epochs, [&](const EpochMetrics& line) { return line.epoch >= state.epoch; });
  std::erase_if(metrics.tests, [&](const TestMetrics& line) {
    return metrics.epochs.empty() || line.step > metrics.epochs.back().step;
  });

  // Lines are in the order of their steps; the lines of a step are in the order in which they are written.
  std::string text;
  auto notice = metrics.notices.begin();
  auto epoch = metrics.epochs.begin();
  auto test = metrics.tests.begin();
  const auto write_until = [&](std::int64_t step) {
    for (;;) {
      const bool has_notice = notice != metrics.notices.end() && notice->step < step;
      const bool has_epoch = epoch != metrics.epochs.end() && epoch->step < step;
      if (has_notice && (!has_epoch || notice->step <= epoch->step)) {
        text += to_json_line(*notice++) + "\n";
      } else if (has_epoch) {
        text += to_json_line(*epoch) + "\n";
        const std::int64_t of_epoch = (epoch++)->step;
        for (; test != metrics.tests.end() && test->step == of_epoch; ++test) text += to_json_line(*test) + "\n";
      } else {
        return;
      }
    }
  };
  for (const StepMetrics& line : metrics.steps) {
    write_until(line.step);
    text += to_json_line(line) + "\n";
  }
  write_until(state.step + 1);
  write(kMetrics, text);
  ::close(std::exchange(metrics_, open_metrics(path_ / kMetrics)));
  return metrics;
}

fs::path RunFolder::checkpoint_path(std::int64_t step) const {
  char name[48];
  std::snprintf(name, sizeof name, "step-%09lld.safetensors", static_cast<long long>(step));
  return path_ / kCheckpointFolder / name;
}

fs::path RunFolder::new_checkpoint(std::int64_t step) {
  check_in_place();
  std::error_code ignored;  // the error is reported when the checkpoint is written
  fs::create_directories(path_ / kCheckpointFolder, ignored);
  return checkpoint_path(step);
}

void RunFolder::keep_checkpoints(std::size_t count) {
  const std::vector<fs::path> checkpoints = checkpoints_of(path_);
  for (std::size_t i = count; i < checkpoints.size(); ++i) remove_file(checkpoints[i]);
}

std::vector<fs::path> checkpoints_of(const fs::path& run) {
  std::vector<fs::path> checkpoints = files_in(run / kCheckpointFolder);
  std::erase_if(checkpoints, [](const fs::path& path) {
    const std::string name = path.filename().string();
    return !name.starts_with("step-") || !name.ends_with(".safetensors");
  });
  // Numbers have leading zeros, so longer names belong to later steps.
  std::sort(checkpoints.begin(), checkpoints.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return x.size() != y.size() ? x.size() > y.size() : x > y;
  });
  return checkpoints;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  require(file.good(), path.string(), ": cannot be read");
  return text.str();
}

}  // namespace minception
