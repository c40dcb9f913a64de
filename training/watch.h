#pragma once
/// Checks during training: gradient norms, the origin of values that are not finite, and a loss at chance
/// level or far above it.

#include "models/network.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Computes norms of a network's flat buffers, and saves the buffers for a later return to this step.
class NetworkWatch {
 public:
  /// Allocates its device memory. The network must be made for training and must outlive the watch.
  explicit NetworkWatch(Network& network);

  struct Norms {
    double all = 0.0;
    /// Per top-level layer ("conv1", "inception3a", ..., an auxiliary head), in network order.
    std::vector<std::pair<std::string, double>> layers;
    /// The first parameter with an element that is not finite, or "".
    std::string not_finite;
  };
  Norms gradient_norms();
  Norms parameter_norms();

  /// Copies parameters, running statistics, averages and optimizer state on the device; `go_back` restores the copy.
  void remember();
  void go_back();

  /// Runs forward and backward pass of the current batch and checks the outputs of each operation. Returns the first
  /// that is not finite: "forward of inception3a.branch2.0.conv (conv2d_forward): 3 of 73728 values of y are not
  /// finite", or "" if all are finite. Parameters do not change.
  std::string find_not_finite(std::int64_t batch, const TrainStepOptions& options = {});

 private:
  Norms norms(const void* flat);
  void copy_remembered(bool back);

  Network& network_;
  std::vector<ParameterGroup> groups_;
  std::vector<std::string> names_;  // of the groups
  Buffer norm_memory_, workspace_memory_;
  std::vector<std::pair<std::span<std::byte>, Buffer>> remembered_;
};

/// Detects a loss that stays at or above ln(classes), the loss of a chance-level classifier: the typical failure of
/// GoogLeNet without BatchNorm, and of a learning rate that is far too high or too low; and a loss far above it.
class LossWatch {
 public:
  LossWatch(const ModelConfig& model, std::int64_t total_steps) : model_(model.name), classes_(model.classes) {
    patience_ = std::clamp<std::int64_t>(total_steps / 2, 10, 200);
    divergence_ = std::clamp<std::int64_t>(total_steps / 10, 10, 100);
  }
  /// Adds the mean loss of `steps` further steps. Returns a notice: once per plateau of clamp(total_steps / 2, 10, 200)
  /// steps, and once for clamp(total_steps / 10, 10, 100) steps above 2 ln(classes) + 1.
  std::optional<std::string> add(double loss, std::int64_t steps);

  /// Steps so far, for checkpoints.
  struct State {
    std::int64_t at_chance = 0;
    std::int64_t diverged = 0;  ///< kept once the notice was given
  };
  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  std::string model_;
  std::int64_t classes_, patience_, divergence_;
  State state_;
};

}  // namespace minception
