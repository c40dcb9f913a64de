#pragma once
/// The data set that a trained model is tested on: by default that of the run which made the weights.

#include "data/registry.h"
#include "models/weights_file.h"
#include "tools/program.h"

#include <cstdint>
#include <string>

namespace minception {

struct RunData {
  std::string data;  ///< "": that of the run
  std::string data_dir, labels;
  double test_fraction = 0.0;
  std::int64_t split_seed = 1;
  std::int64_t limit = 0;
  Selection selection = {};

  /// Adds --data, --data-dir, --labels, --test-fraction, --split-seed and --limit.
  void declare(CommandLine& command_line);
  /// Uses the data set and parts of the run, from config.json next to the weights or one folder up, unless --data names
  /// another data set. Without config.json the default is Fashion-MNIST. Throws Error, naming the option, for an invalid
  /// value.
  void take_from_run(const std::string& weights, bool test_fraction_given);
  /// Loads parts as the model was trained with them.
  Dataset load(const WeightsFile& weights, bool train, bool validation, bool test) const;

 private:
  bool is_same_as(const std::string& other, const std::string& other_dir) const;
};

}  // namespace minception
