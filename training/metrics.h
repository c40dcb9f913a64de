#pragma once
/// What is recorded of a training: the lines of metrics.jsonl.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// How training went since the line before: {"event":"step", ...}.
struct StepMetrics {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t step = 0;   ///< optimizer steps since the start
  double learning_rate = 0.0;
  double momentum = 0.0;  ///< of Adam: beta1
  double loss = 0.0;      ///< mean over the samples since the line before
  double accuracy = 0.0;
  double examples_per_second = 0.0;  ///< training steps with their data
  double gradient_norm = 0.0;        ///< of the last step, over all parameters, before it was clipped
  /// The same per top-level layer ("conv1", "inception3a", ..., an auxiliary head), in the order of the network.
  std::vector<std::pair<std::string, double>> gradient_norms;
  /// The same of an auxiliary head, its loss without the weight that training gives it.
  struct Auxiliary {
    std::string head;  ///< "aux1"
    double loss = 0.0;
    double accuracy = 0.0;
  };
  std::vector<Auxiliary> auxiliary = {};
};

/// Images that are not trained on.
enum class Part : std::uint8_t { validation, test };

inline const char* to_string(Part part) { return part == Part::validation ? "validation" : "test"; }

/// {"event":"epoch", ...}: the line that ends an epoch.
struct EpochMetrics {
  std::int64_t epoch = 0;      ///< from 1
  std::int64_t step = 0;       ///< optimizer steps since the start
  double learning_rate = 0.0;  ///< of the last step
  double train_loss = 0.0;     ///< mean over the epoch's samples, as they were trained on
  double train_accuracy = 0.0;
  Part part = Part::test;  ///< whose images the next three are of; part of their names in JSON: "validation_loss"
  double eval_loss = 0.0;  ///< cross-entropy without label smoothing
  double eval_accuracy = 0.0;
  double eval_top5 = 0.0;
  double examples_per_second = 0.0;  ///< training steps with their data, without the evaluation
  double seconds = 0.0;              ///< of the whole epoch, with the evaluation
};

/// Whether `a` is the better epoch: by accuracy, of equal ones by loss. What is not finite is never better.
inline bool is_better(const EpochMetrics& a, const EpochMetrics& b) {
  return a.eval_accuracy > b.eval_accuracy || (a.eval_accuracy == b.eval_accuracy && a.eval_loss < b.eval_loss);
}

/// {"event":"test", ...}: the weights of the epoch with the best validation accuracy on the test images, after training.
struct TestMetrics {
  std::int64_t epoch = 0;  ///< that the weights are of
  std::int64_t step = 0;   ///< steps that training took in all
  double validation_accuracy = 0.0;
  double test_loss = 0.0;
  double test_accuracy = 0.0;
  double test_top5 = 0.0;
};

/// {"event":"notice", ...}: something that training noticed about itself.
struct Notice {
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  std::string text;
};

/// One JSON object without a line break; numbers that are not finite become null.
std::string to_json_line(const StepMetrics& metrics);
std::string to_json_line(const EpochMetrics& metrics);
std::string to_json_line(const TestMetrics& metrics);
std::string to_json_line(const Notice& notice);

/// A whole metrics.jsonl.
struct Metrics {
  std::vector<StepMetrics> steps;
  std::vector<EpochMetrics> epochs;
  std::vector<TestMetrics> tests;  ///< more than one if a run that had ended was resumed for further epochs

  /// Part that the epochs were evaluated on.
  Part part() const { return epochs.empty() ? Part::test : epochs.back().part; }
  /// The test after the last epoch, or nullptr.
  const TestMetrics* last_test() const {
    return !tests.empty() && !epochs.empty() && tests.back().step >= epochs.back().step ? &tests.back() : nullptr;
  }
  std::vector<Notice> notices;
};

/// Reads metrics.jsonl; null becomes NaN. A last line without its line break, which a kill can leave, is not there.
/// Throws Error with file and line number for anything else that is no such line, and for a file that cannot be read.
Metrics read_metrics(const std::filesystem::path& path);

}  // namespace minception
