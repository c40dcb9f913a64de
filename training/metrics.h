#pragma once
/// What is recorded of an epoch: one line of metrics.jsonl.

#include <cstdint>
#include <string>

namespace minception {

struct EpochMetrics {
  std::int64_t epoch = 0;      ///< from 1
  std::int64_t step = 0;       ///< optimizer steps since the start
  double learning_rate = 0.0;  ///< of the last step
  double train_loss = 0.0;     ///< mean over the epoch's samples, as they were trained on
  double train_accuracy = 0.0;
  double test_loss = 0.0;
  double test_accuracy = 0.0;
  double examples_per_second = 0.0;  ///< training steps with their data, without the test
  double seconds = 0.0;              ///< of the whole epoch, with the test
};

/// One JSON object without a line break; numbers that are not finite become null.
std::string to_json_line(const EpochMetrics& metrics);

}  // namespace minception
