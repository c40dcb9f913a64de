#pragma once
/// Files of a run folder, read and validated for a report.

#include "training/evaluation_record.h"
#include "training/metrics.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace minception::report {

struct Run {
  std::string name;  ///< folder name
  std::string date;  ///< "2026-01-31 12:34 UTC": last write of its metrics, or else of its configuration
  /// config.json with nested objects flattened, in file order: ("memory.total", "1024"). Lists become "1, 96, 96".
  std::vector<std::pair<std::string, std::string>> config;
  Metrics metrics;                             ///< empty: nothing recorded yet
  std::optional<EvaluationRecord> evaluation;  ///< nullopt: not evaluated yet
  bool has_best_weights = false;               ///< model_best.safetensors exists

  /// The value of a key, or "".
  std::string text(const std::string& key) const;
  /// The value of a key, or NaN.
  double number(const std::string& key) const;
  /// Optimizer steps per epoch; 0 if unknown.
  double steps_per_epoch() const;
  /// Whether any epoch's top-5 accuracy is neither 0 nor 1. With up to five classes it is always 1.
  bool tells_top5() const;
  /// "googlenet on fashion-mnist", or the name of the folder.
  std::string title() const;
};

/// Split that the epochs were evaluated on: "test", "validation", or "validation or test".
std::string part_name(std::span<const Run> runs);

/// Throws Error, naming the file or folder, if it is not a run or a file is damaged.
Run read_run(const std::filesystem::path& folder);

}  // namespace minception::report
