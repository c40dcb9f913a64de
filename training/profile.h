#pragma once
/// Where the time of a step goes: by kind of work, by layer and operation, and by kernel on a GPU.

#include <minception/models/network.h>
#include <minception/training/feed.h>

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

struct ProfileOptions {
  Mode mode = Mode::training;
  std::int64_t batch_size = 128;
  std::int64_t warmup = 3;  ///< steps before anything is timed; at least 2, so that a step that is recorded is replayed
  std::int64_t steps = 10;  ///< of each kind that is timed; means over them are given
  std::uint64_t seed = 1;   ///< of the order of samples
  bool shuffle = true;
};

/// A kernel within one operation, or within a whole step.
struct ProfiledKernel {
  std::string kernel;
  std::int64_t launches = 0;  ///< per step
  double seconds = 0.0;
  /// Of the operations whose longest kernel it is, which the floating-point operations and bytes are credited to.
  double flops = 0.0, bytes = 0.0, credited_seconds = 0.0;
};

/// One operation of the plan. Means over the profiled steps.
struct ProfiledOperation {
  Phase phase = Phase::forward;
  std::string layer;
  std::string operation;
  std::string kind;  ///< what it is counted under: "convolution, forward"
  double seconds = 0.0;
  double flops = 0.0;  ///< two per multiply-accumulate of convolutions and matrix products; 0 for others
  double bytes = 0.0;  ///< its operands, once per reading and once per writing: what must move if a cache were perfect
  std::vector<ProfiledKernel> kernels = {};
};

/// Seconds are per step.
struct Profile {
  Mode mode = Mode::training;
  std::string model, device, description;
  std::int64_t batch_size = 0, steps = 0;
  bool emulated = false;          ///< times are those of the emulation
  bool replayed = false;          ///< whole steps are recorded and replayed; profiled ones are not
  double step_seconds = 0.0;      ///< a step as a run does it, with its data, nothing inside it timed
  double eager_seconds = 0.0;     ///< the same, not replayed; as step_seconds where nothing is replayed
  double profiled_seconds = 0.0;  ///< the same with each operation timed
  double feed_seconds = 0.0;      ///< of the host in a profiled step, for the batch's samples and control values
  double waited_seconds = 0.0;    ///< of these, for samples that were not ready: 0 unless they are streamed
  std::vector<ProfiledOperation> operations;  ///< in the order of the plan
  std::vector<ProfiledKernel> kernels;        ///< of all operations, the longest first
  std::vector<KernelCounts> counts;           ///< of one step, where kernels are emulated
  std::string counts_table;

  /// Sum over the operations.
  double operation_seconds() const;
};

/// Runs steps on `feed` and times them; steps that are timed in different ways take turns, so that all meet the same
/// machine. The learning rate is 0: running statistics and momentum of the network change, its parameters do not.
/// Throws Error if the options cannot be met. Batches are full unless `feed` has fewer samples.
Profile profile(Network& network, Feed& feed, const ProfileOptions& options);

/// Tables for people: kinds of work, then the `most` longest operations, then kernels where there are any.
std::string profile_text(const Profile& profile, std::size_t most = 25);
/// All of it as one JSON document.
std::string to_json(const Profile& profile);

}  // namespace minception
