#pragma once
/// A run folder contains:
///
///   config.json              options and environment
///   metrics.jsonl            a line every few steps, a line per epoch, notices
///   checkpoints/step-N.safetensors   the last few checkpoints
///   model.safetensors        weights after the last complete epoch
///   model_best.safetensors   weights of the epoch with the best validation (or test) accuracy; ties: lowest loss
///   evaluation.json          result of the last evaluation
///   report.html              all of this as a web page
///   profile.json             time of a step by operation, if requested
///   tensorboard/             event files, if requested
///   .lock                    locked while a process uses the folder
///
/// Files are written to a temporary file, synced and renamed; each line is appended with one write. A run can therefore
/// be read and resumed after a kill at any time. On resume, lines newer than the checkpoint are cut off.

#include "training/metrics.h"
#include "training/trainer.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace minception {

class RunFolder {
 public:
  enum class Open : std::uint8_t {
    fresh,      ///< refuses a folder that contains a run with weights, a checkpoint or a complete epoch
    overwrite,  ///< removes the files of the run in it
    resume,     ///< continues the run in it
  };

  /// Throws the Errors of the constructor without changing anything; call it before long work.
  static void check(const std::filesystem::path& path, Open how);

  /// Creates the folder if needed and locks it. Throws Error if another process uses it, if `how` refuses it, or if it
  /// is not writable.
  RunFolder(std::filesystem::path path, Open how);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const char* name) const { return path_ / name; }

  /// Writes a file atomically. Throws Error on failure, also if the folder was removed or replaced since it was opened.
  void write(const char* name, const std::string& text);
  /// Appends a line to metrics.jsonl. Throws Error like `write`; the line is then kept and written before the next one.
  void append(const std::string& line);
  /// Writes the lines that `append` could not write.
  void flush();
  /// If the folder or its metrics.jsonl was removed or moved, recreates it with all lines and this config.json, and
  /// returns true. Throws Error if another run has taken its place.
  bool restore(const std::string& config);
  /// Cuts metrics.jsonl back to this state and returns the remaining metrics.
  Metrics cut_metrics(const TrainerState& state);

  /// Path of the checkpoint of this step.
  std::filesystem::path checkpoint_path(std::int64_t step) const;
  /// The same for writing: creates its folder. Throws Error if the run folder was removed or replaced.
  std::filesystem::path new_checkpoint(std::int64_t step);
  void keep_checkpoints(std::size_t count);

 private:
  bool in_place() const;
  void check_in_place() const;

  std::filesystem::path path_;
  int lock_ = -1;
  int metrics_ = -1;
  std::string pending_;  // lines that could not be written yet
};

/// Checkpoints of a run, newest first.
std::vector<std::filesystem::path> checkpoints_of(const std::filesystem::path& run);

/// Reads a whole file as text. Throws Error on failure.
std::string read_text(const std::filesystem::path& path);

}  // namespace minception
