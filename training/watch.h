#pragma once
/// Training watches itself: gradient norms, numbers that are not finite and where they come from, a loss that stays at
/// chance.

#include <minception/models/network.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Looks at the flat buffers of a network, and remembers them to come back to an earlier step.
class NetworkWatch {
 public:
  /// Allocates what it needs. The network was made for training, and outlives the watch.
  explicit NetworkWatch(Network& network);

  struct Norms {
    double all = 0.0;
    /// Per top-level layer ("conv1", "inception3a", ..., an auxiliary head), in the order of the network.
    std::vector<std::pair<std::string, double>> layers;
    /// The first parameter of which an element is not finite; "" if there is none.
    std::string not_finite;
  };
  Norms gradient_norms();
  Norms parameter_norms();

  /// Remembers parameters, running statistics, averages and the optimizer's state, on the device; takes back what was remembered.
  void remember();
  void go_back();

  /// Runs forward and backward pass of the batch that the network was given, looks at everything that each operation
  /// writes, and says where the first number that is not finite came up: "forward of inception3a.branch2.0.conv
  /// (conv2d_forward): 3 of 73728 values of y are not finite". "" if all are finite. Parameters are left as they are.
  std::string find_not_finite(std::int64_t batch, const TrainStepOptions& options = {});

 private:
  Norms norms(const void* flat);
  void copy_remembered(bool back);

  Network& network_;
  std::vector<ParameterSegment> segments_;
  std::vector<std::string> names_;  // of the segments
  Buffer norm_memory_, workspace_memory_;
  std::vector<std::pair<std::span<std::byte>, Buffer>> remembered_;
};

/// Notices a loss that stays at ln(classes), what a network earns that answers as if by chance: the way in which GoogLeNet
/// without BatchNorm fails.
class PlateauWatch {
 public:
  /// It is said after 200 steps, in a training of fewer than 400 after half of them, but not before 10.
  PlateauWatch(std::int64_t classes, std::int64_t total_steps)
      : classes_(classes), patience_(std::clamp<std::int64_t>(total_steps / 2, 10, 200)) {}
  /// The mean loss of `steps` further steps. Returns what is to be said, once per plateau.
  std::optional<std::string> add(double loss, std::int64_t steps);

  /// Steps at chance so far: what a checkpoint keeps.
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  std::int64_t classes_, patience_;
  std::int64_t steps_ = 0;
};

}  // namespace minception
