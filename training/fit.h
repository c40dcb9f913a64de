#pragma once
/// Trains a model on a data set in one call, with a run folder, checkpoints and a report: what the tool `train` does.

#include "data/image_dataset.h"
#include "kernels/backend.h"
#include "models/initialization.h"
#include "models/model.h"
#include "models/network.h"
#include "models/optimizer.h"
#include "models/weights_file.h"
#include "training/checkpoint.h"
#include "training/metrics.h"
#include "training/schedule.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace minception {

/// A Schedule whose lengths are given in epochs.
struct EpochSchedule {
  ScheduleKind kind = ScheduleKind::constant;
  double warmup_epochs = 0.0;
  double step_size = 30.0;      ///< step: epochs between two decreases
  double gamma = 0.1;           ///< step: factor of each decrease
  double eta_min = 0.0;         ///< cosine: last learning rate
  double base_momentum = -1.0;  ///< one_cycle: momentum at the peak of the learning rate; negative: the optimizer's
  double pct_start = 0.3;       ///< one_cycle: fraction of the steps that rise

  Schedule in_steps(std::int64_t steps_per_epoch, const Optimizer& optimizer) const;
};

/// Prints "warning: ..." on stderr.
void print_warning(const std::string& text);

/// Messages about these options name the field, as in "pct_start = 2: must be between 0 and 1".
struct FitOptions {
  std::filesystem::path out = {};  ///< folder of the run (training/run_folder.h); required
  bool overwrite = false;          ///< replace the run in `out`
  bool resume = false;             ///< continue the run in `out` from its newest checkpoint, with the same options

  std::int64_t epochs = 10;
  std::int64_t batch_size = 128;
  std::int64_t accumulate = 1;  ///< batches whose gradients are accumulated into one step
  Optimizer optimizer = Sgd{.lr = 0.05, .momentum = 0.9};
  EpochSchedule schedule = {};
  double label_smoothing = 0.0;
  double max_norm = 0.0;      ///< clip the norm of all gradients together; 0: no clipping
  double ema_decay = 0.0;     ///< of the moving average of the weights, which is evaluated and saved; 0: none
  std::int64_t patience = 0;  ///< end after this many epochs without a better evaluation; 0: never
  bool shuffle = true;
  bool balance_classes = false;  ///< oversample every class to the size of the largest
  Augmentation augmentation = {};
  Normalization normalization = {};  ///< of pixels in [0, 1]
  std::uint64_t seed = 1;  ///< of initialization, order, augmentation and dropout; replaces the augmentation's seed

  Initialization initialization = Initialization::xavier_uniform;
  std::filesystem::path init = {};       ///< weights file to start from; empty: `initialization`
  Heads init_heads = Heads::load;        ///< keep: the last layers start from `initialization`, for other classes
  std::vector<std::string> freeze = {};  ///< name prefixes of parameters that do not train

  std::string device = "auto";   ///< cpu, cuda, reference, or auto: cuda if there is a GPU, else cpu
  std::string kernels = "ours";  ///< cuda: ours, or vendor (cuDNN and cuBLAS)
  std::string compute = "f32";   ///< f32; bf16, with f32 weights; on cuda also tf32
  int threads = 0;               ///< cpu: 0 for all cores
  bool graph_capture = true;     ///< cuda: replay whole steps as CUDA graphs
  bool stream = false;           ///< keep the images in host memory and load batches with `num_workers` threads
  int num_workers = 1;

  std::int64_t log_every = 10;        ///< steps between lines of metrics.jsonl and calls of `on_step`
  std::int64_t checkpoint_every = 0;  ///< steps between checkpoints, in addition to one per epoch; 0: none
  std::int64_t keep_checkpoints = 3;
  bool tensorboard = false;        ///< also write TensorBoard event files
  bool check_nan = false;          ///< check all outputs of each step (slow), to name the first layer with a NaN
  bool profile = false;            ///< instead of training, time `profile_steps` steps and write profile.json
  std::int64_t profile_steps = 0;  ///< 0: 10, or 1 if kernels are emulated

  bool verbose = true;  ///< progress and one line per epoch on the terminal
  std::function<void(const StepMetrics&)> on_step = {};
  std::function<void(const EpochMetrics&)> on_epoch = {};
  std::function<void(const std::string&)> on_warning = print_warning;  ///< called with one line
  std::function<bool()> should_stop = {};  ///< polled between steps; true saves a checkpoint and returns

  /// For programs with options of their own: JSON text kept with the run and its checkpoints instead of these options.
  std::string recorded = {};
  /// How to resume, for the message of a stopped run; empty: by `fit` with `resume`.
  std::string resume_command = {};
  /// The content of `init`, and the checkpoint to resume from, if they are already read.
  const WeightsFile* init_weights = nullptr;
  const Checkpoint* checkpoint = nullptr;
};

struct FitResult {
  bool stopped = false;                   ///< by `should_stop`; continue with `resume`
  bool early_stopped = false;             ///< by `patience`
  std::string text;                       ///< what the run folder holds, or how to resume
  std::optional<EpochMetrics> best = {};  ///< epoch of model_best.safetensors
  std::optional<TestMetrics> test = {};   ///< its result on the test images, if validation images selected it
};

/// Throws Error, naming the field, for invalid options. `fit` calls it before anything else.
void check(const FitOptions& options);

/// Trains the model, which is not changed: the weights are in the run folder, as model.safetensors and
/// model_best.safetensors. Epochs are evaluated on the validation images or, without any, on the test images.
/// Throws Error for invalid options, a model or folder that cannot be used, layers that files cannot describe
/// (models/graph.h), numbers that are not finite, and results that could not be saved; and, with `resume`, for a network
/// or options that differ from those of the run. The number of epochs may differ unless the schedule depends on it.
/// After an exception, also one from a callback, the folder has the report and the checkpoints so far.
FitResult fit(const Model& model, const Dataset& dataset, const FitOptions& options);
/// The same; frees the training pixels once the device has a copy.
FitResult fit(const Model& model, Dataset&& dataset, const FitOptions& options);

/// The options as recorded with a run, by the names of the tool `train`, which can resume such a run.
std::string to_json(const FitOptions& options, const Model& model, const Dataset& dataset);

}  // namespace minception
