#pragma once
/// Time of a step by kind of work, by layer and operation, and by kernel on a GPU.

#include "models/network.h"
#include "training/batch_source.h"

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

struct ProfileOptions {
  Mode mode = Mode::training;
  std::int64_t batch_size = 128;
  std::int64_t warmup = 3;  ///< untimed steps; at least 2, so that a captured step is replayed when timing starts
  std::int64_t steps = 10;  ///< timed steps per measurement; results are means over them
  std::uint64_t seed = 1;   ///< seed of the sample order
  bool shuffle = true;
};

/// A kernel within one operation or within a whole step.
struct ProfiledKernel {
  std::string kernel;
  std::int64_t launches = 0;  ///< per step
  double seconds = 0.0;
  /// Over the operations whose longest kernel this is: their floating-point operations, bytes, and this kernel's
  /// seconds.
  double flops = 0.0, bytes = 0.0, credited_seconds = 0.0;
};

/// One operation of the plan. Means over the profiled steps.
struct ProfiledOperation {
  Phase phase = Phase::forward;
  std::string layer;
  std::string operation;
  std::string kind;  ///< category: "convolution, forward"
  double seconds = 0.0;
  double flops = 0.0;  ///< two per multiply-accumulate of convolutions and matrix products; 0 for other operations
  double bytes = 0.0;  ///< operands once per read and once per write: the traffic with a perfect cache
  std::vector<ProfiledKernel> kernels = {};
};

/// Times are in seconds per step.
struct Profile {
  Mode mode = Mode::training;
  std::string model, device, description;
  std::int64_t batch_size = 0, steps = 0;
  bool emulated = false;          ///< kernels are emulated; times are those of the emulation
  bool replayed = false;          ///< whole steps are captured and replayed; profiled steps are not
  double step_seconds = 0.0;      ///< a normal step with data loading, timed as a whole
  double eager_seconds = 0.0;     ///< the same without graph replay; equals step_seconds if nothing is replayed
  double profiled_seconds = 0.0;  ///< the same with each operation timed
  double feed_seconds = 0.0;      ///< host time of a profiled step for samples and control values
  double waited_seconds = 0.0;    ///< part of feed_seconds spent waiting for samples; 0 unless streamed
  std::vector<ProfiledOperation> operations;  ///< in plan order
  std::vector<ProfiledKernel> kernels;        ///< of all operations, longest first
  std::vector<KernelCounts> counts;           ///< of one step; only for emulated kernels
  std::string counts_table;

  /// Sum over the operations.
  double operation_seconds() const;
};

/// Runs and times steps on `feed`; the different timings alternate, so that all see the same machine load. The learning
/// rate is 0: running statistics and optimizer state of the network change, its parameters do not. Batches are full
/// unless `feed` has fewer samples. Throws Error for invalid options.
Profile profile(Network& network, BatchSource& feed, const ProfileOptions& options);

/// Text tables: kinds of work, the `most` longest operations, and kernels if there are any.
std::string profile_text(const Profile& profile, std::size_t most = 25);
/// The whole profile as one JSON document.
std::string to_json(const Profile& profile);

}  // namespace minception
