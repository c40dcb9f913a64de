#pragma once
/// A run is a folder:
///
///   config.json              what was asked for, and where it runs
///   metrics.jsonl            a line every few steps, a line per epoch, notices
///   checkpoints/step-N.safetensors   the last few
///   model.safetensors        the weights after the last whole epoch
///   model_best.safetensors   those after the epoch with the best validation (or test) accuracy, of equal ones the lowest loss
///   evaluation.json          what the last test found
///   report.html              all of it, to look at
///   profile.json             where the time of a step goes, where asked for
///   tensorboard/             event files, where asked for
///   .lock                    held while a process works in the folder
///
/// Whole files are written beside, synced and renamed; lines are added by one write each. So a kill at any instant leaves
/// a run that can be read and resumed. Lines that a checkpoint does not know of are cut off when it is resumed from.

#include <minception/training/metrics.h>
#include <minception/training/trainer.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace minception {

class RunFolder {
 public:
  enum class Open : std::uint8_t {
    fresh,      ///< refuses a folder that a run is in
    overwrite,  ///< removes the files of the run that is in it
    resume,     ///< goes on with the run that is in it
  };

  /// Throws the Error that the constructor would throw, and changes nothing: to be asked before long work.
  static void check(const std::filesystem::path& path, Open how);

  /// Makes the folder where needed, and locks it. Throws Error if another process works in it, for what `how` refuses,
  /// and if something cannot be written.
  RunFolder(std::filesystem::path path, Open how);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const char* name) const { return path_ / name; }

  /// Replaces a file as a whole. Throws Error where that fails, also because the folder was removed or replaced since it was
  /// opened.
  void write(const char* name, const std::string& text);
  /// Adds a line to metrics.jsonl. Throws Error likewise; the line is kept then, and comes before the next one.
  void append(const std::string& line);
  /// Adds the lines that `append` could not add.
  void flush();
  /// Where the folder, or metrics.jsonl in it, was removed or moved away, makes it again with all lines and this
  /// config.json, and returns true. Throws Error where another process has taken its place.
  bool restore(const std::string& config);
  /// Cuts metrics.jsonl back to what was known at this state, and returns what is left.
  Metrics cut_metrics(const TrainerState& state);

  /// Where a checkpoint of this step belongs; once it is there, `keep_checkpoints` removes all but the last `count`.
  std::filesystem::path checkpoint_path(std::int64_t step) const;
  /// The same, to be written now. Throws Error where the folder was removed or replaced.
  std::filesystem::path new_checkpoint(std::int64_t step);
  void keep_checkpoints(std::size_t count);

 private:
  bool in_place() const;
  void check_in_place() const;

  std::filesystem::path path_;
  int lock_ = -1;
  int metrics_ = -1;
  std::string pending_;  // lines that could not be added yet
};

/// The checkpoints of a run, the newest first.
std::vector<std::filesystem::path> checkpoints_of(const std::filesystem::path& run);

/// A whole file as text. Throws Error if it cannot be read.
std::string read_text(const std::filesystem::path& path);

}  // namespace minception
