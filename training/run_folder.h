#pragma once
/// A run is a folder: config.json, metrics.jsonl (a line per epoch), model.safetensors.

#include <minception/models/network.h>
#include <minception/training/metrics.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace minception {

class RunFolder {
 public:
  /// Makes the folder and writes config.json. Throws Error if a run with an epoch or weights is in there,
  /// unless `overwrite` is set (which removes that run's files first), or if it cannot be written.
  RunFolder(std::filesystem::path path, const std::string& config_json, bool overwrite);

  /// Throws the same Error for a folder that the constructor would refuse: to be asked before long work.
  static void check(const std::filesystem::path& path, bool overwrite);

  void append_metrics(const EpochMetrics& metrics);
  void write_weights(const Network& network, const std::map<std::string, std::string>& metadata);

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::string metrics_;  // the whole of metrics.jsonl, which is replaced as a whole: no line is ever half written
};

/// What a weights file says about itself, as JSON in its metadata: the model, the preprocessing of its images
/// and the names of its classes. With these a file alone is enough to predict.
std::map<std::string, std::string> weights_metadata(const Network& network,
                                                    const std::vector<std::string>& class_names);

}  // namespace minception
