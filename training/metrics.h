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

/// {"event":"epoch", ...}: the line that ends an epoch.
struct EpochMetrics {
  std::int64_t epoch = 0;      ///< from 1
  std::int64_t step = 0;       ///< optimizer steps since the start
  double learning_rate = 0.0;  ///< of the last step
  double train_loss = 0.0;     ///< mean over the epoch's samples, as they were trained on
  double train_accuracy = 0.0;
  double test_loss = 0.0;  ///< cross-entropy without label smoothing
  double test_accuracy = 0.0;
  double test_top5 = 0.0;
  double examples_per_second = 0.0;  ///< training steps with their data, without the test
  double seconds = 0.0;              ///< of the whole epoch, with the test
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
std::string to_json_line(const Notice& notice);

/// A whole metrics.jsonl.
struct Metrics {
  std::vector<StepMetrics> steps;
  std::vector<EpochMetrics> epochs;
  std::vector<Notice> notices;
};

/// Reads metrics.jsonl; null becomes NaN. A last line without its line break, which a kill can leave, is not there.
/// Throws Error with file and line number for anything else that is no such line, and for a file that cannot be read.
Metrics read_metrics(const std::filesystem::path& path);

}  // namespace minception
