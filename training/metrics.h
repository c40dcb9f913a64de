#pragma once
/// Training metrics: the lines of metrics.jsonl.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// {"event":"step", ...}: metrics since the previous line.
struct StepMetrics {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t step = 0;   ///< optimizer steps since the start
  double learning_rate = 0.0;
  double momentum = 0.0;  ///< Adam: beta1
  double loss = 0.0;      ///< mean over the samples since the previous line
  double accuracy = 0.0;
  double examples_per_second = 0.0;  ///< including data loading
  double gradient_norm = 0.0;        ///< of the last step, over all parameters, before clipping
  /// Gradient norm per top-level layer ("conv1", "inception3a", ..., an auxiliary head), in network order.
  std::vector<std::pair<std::string, double>> gradient_norms;
  /// Loss and accuracy of an auxiliary head; the loss is unweighted.
  struct Auxiliary {
    std::string head;  ///< "aux1"
    double loss = 0.0;
    double accuracy = 0.0;
  };
  std::vector<Auxiliary> auxiliary = {};
};

/// Data split used for evaluation.
enum class Part : std::uint8_t { validation, test };

inline const char* to_string(Part part) { return part == Part::validation ? "validation" : "test"; }

/// {"event":"epoch", ...}: the last line of an epoch.
struct EpochMetrics {
  std::int64_t epoch = 0;      ///< from 1
  std::int64_t step = 0;       ///< optimizer steps since the start
  double learning_rate = 0.0;  ///< of the last step
  double train_loss = 0.0;     ///< mean over the epoch, measured while training
  double train_accuracy = 0.0;
  Part part = Part::test;  ///< split of the next three values; prefix of their JSON keys: "validation_loss"
  double eval_loss = 0.0;  ///< cross-entropy without label smoothing
  double eval_accuracy = 0.0;
  double eval_top5 = 0.0;
  double examples_per_second = 0.0;  ///< training steps including data loading, without evaluation
  double seconds = 0.0;              ///< of the whole epoch, including evaluation
};

/// Whether `a` is the better epoch: higher accuracy, then lower loss. A NaN never compares as better.
inline bool is_better(const EpochMetrics& a, const EpochMetrics& b) {
  return a.eval_accuracy > b.eval_accuracy || (a.eval_accuracy == b.eval_accuracy && a.eval_loss < b.eval_loss);
}

/// {"event":"test", ...}: test result of the epoch with the best validation accuracy, written after training.
struct TestMetrics {
  std::int64_t epoch = 0;  ///< epoch of the weights
  std::int64_t step = 0;   ///< total training steps
  double validation_accuracy = 0.0;
  double test_loss = 0.0;
  double test_accuracy = 0.0;
  double test_top5 = 0.0;
};

/// {"event":"notice", ...}: a warning about the training.
struct Notice {
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  std::string text;
  bool fatal = false;  ///< an Error with this text follows; not recorded
};

/// One JSON object without a line break; NaN and infinity become null.
std::string to_json_line(const StepMetrics& metrics);
std::string to_json_line(const EpochMetrics& metrics);
std::string to_json_line(const TestMetrics& metrics);
std::string to_json_line(const Notice& notice);

/// Contents of a metrics.jsonl.
struct Metrics {
  std::vector<StepMetrics> steps;
  std::vector<EpochMetrics> epochs;
  std::vector<TestMetrics> tests;  ///< more than one if a completed run was resumed for further epochs

  /// Split that the epochs were evaluated on.
  Part part() const { return epochs.empty() ? Part::test : epochs.back().part; }
  /// The test result after the last epoch, or nullptr.
  const TestMetrics* last_test() const {
    return !tests.empty() && !epochs.empty() && tests.back().step >= epochs.back().step ? &tests.back() : nullptr;
  }
  /// The epoch of model_best.safetensors: the first of the best ones; nullptr without epochs.
  const EpochMetrics* best_epoch() const;
  std::vector<Notice> notices;
};

/// Reads metrics.jsonl; null becomes NaN. A last line without a line break (left by a kill) is ignored. Throws Error
/// with file and line number for any other invalid line, and for an unreadable file.
Metrics read_metrics(const std::filesystem::path& path);

}  // namespace minception
