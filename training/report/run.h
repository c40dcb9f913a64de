#pragma once
/// What a report knows of a run: the files of its folder, read and checked.

#include <minception/training/evaluation_record.h>
#include <minception/training/metrics.h>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace minception::report {

struct Run {
  std::string name;  ///< of the folder
  std::string date;  ///< "2026-01-31 12:34 UTC": when its metrics, or else its configuration, were last written
  /// config.json with nested objects flattened, in its order: ("memory.total", "1024"). Lists become "1, 96, 96".
  std::vector<std::pair<std::string, std::string>> config;
  Metrics metrics;                             ///< empty: nothing was recorded yet
  std::optional<EvaluationRecord> evaluation;  ///< nothing: it was not tested yet
  bool has_best_weights = false;               ///< model_best.safetensors is there

  /// The value of a key, or "".
  std::string text(const std::string& key) const;
  /// The value of a key, or NaN.
  double number(const std::string& key) const;
  /// Optimizer steps of an epoch; 0 if nothing tells.
  double steps_per_epoch() const;
  /// Whether some epoch's top-5 accuracy is neither 0 nor 1. With up to five classes it is always 1.
  bool tells_top5() const;
  /// "googlenet on fashion-mnist", or the name of the folder.
  std::string title() const;
};

/// What the epochs of the runs were evaluated on: "test", "validation", or "validation or test".
std::string part_name(std::span<const Run> runs);

/// Throws Error that names the file or folder for one that is no run, and for a damaged file.
Run read_run(const std::filesystem::path& folder);

}  // namespace minception::report
