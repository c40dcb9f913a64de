#include <minception/training/metrics.h>

#include <nlohmann/json.hpp>

namespace minception {

std::string to_json_line(const EpochMetrics& metrics) {
  // nlohmann/json writes NaN and infinity as null.
  const nlohmann::ordered_json line = {{"epoch", metrics.epoch},
                                       {"step", metrics.step},
                                       {"learning_rate", metrics.learning_rate},
                                       {"train_loss", metrics.train_loss},
                                       {"train_accuracy", metrics.train_accuracy},
                                       {"test_loss", metrics.test_loss},
                                       {"test_accuracy", metrics.test_accuracy},
                                       {"examples_per_second", metrics.examples_per_second},
                                       {"seconds", metrics.seconds}};
  return line.dump();
}

}  // namespace minception
