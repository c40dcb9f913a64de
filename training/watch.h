#pragma once
/// Checks during training: gradient norms, the origin of values that are not finite, and a loss plateau at chance
/// level.

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
/// GoogLeNet without BatchNorm, and of a learning rate that is far too high or too low.
class PlateauWatch {
 public:
  /// The notice comes after clamp(total_steps / 2, 10, 200) steps at chance level.
  PlateauWatch(std::int64_t classes, std::int64_t total_steps)
      : classes_(classes), patience_(std::clamp<std::int64_t>(total_steps / 2, 10, 200)) {}
  /// Adds the mean loss of `steps` further steps. Returns the notice, once per plateau.
  std::optional<std::string> add(double loss, std::int64_t steps);

  /// Steps at chance level so far, for checkpoints.
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  std::int64_t classes_, patience_;
  std::int64_t steps_ = 0;
};

}  // namespace minception
