#pragma once
/// A model with its weights: what Python users call a model.

#include "models/model.h"
#include "models/network.h"
#include "models/weights_file.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace minception::python {

/// A network for inputs as the model takes them, (C, H, W) of floats. Calls from several threads take turns.
class InputNetwork {
 public:
  /// `weights`: only the tensors matter.
  InputNetwork(Model model, const WeightsFile& weights, const std::string& device);

  const std::string& device() const { return device_; }
  /// Logits of any number of samples, row-major (N, classes).
  std::vector<double> logits(std::span<const ImageView> images);

 private:
  std::string device_;
  std::mutex mutex_;
  std::unique_ptr<Backend> backend_;
  Network network_;
};

class TrainedModel {
 public:
  /// A model without weights. Throws Error if the network cannot be planned.
  explicit TrainedModel(Model model);
  /// Reads a weights file. Throws Error like read_weights_file.
  explicit TrainedModel(const std::filesystem::path& weights);

  const Model& model() const { return model_; }
  const ModelConfig& config() const { return model_.config; }
  const std::vector<std::string>& classes() const { return file_.class_names; }

  bool has_weights() const { return !file_.tensors.empty(); }
  const WeightsFile& weights() const { return file_; }
  /// Parameters and running statistics: the weights or, without any, the initial values for seed 1.
  std::map<std::string, FileTensor> state() const;
  /// Throws Error, naming the tensors, unless names and shapes match. Auxiliary heads may be absent.
  void set_state(std::map<std::string, FileTensor> state);
  /// Takes weights, class names and preprocessing from a file that training wrote.
  void take(const std::filesystem::path& file);
  void save(const std::filesystem::path& path) const;

  std::string summary(std::int64_t batch) const;
  std::vector<double> logits(std::span<const ImageView> images, const std::string& device);

 private:
  Network planned(std::int64_t batch, bool training) const;

  Model model_;
  WeightsFile file_;
  std::unique_ptr<Backend> planner_;
  std::mutex mutex_;
  std::shared_ptr<InputNetwork> network_;
};

}  // namespace minception::python
