#pragma once
/// Options of `train`.

#include "data/image_folder.h"
#include "data/subset.h"
#include "tools/command_line.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

struct TrainOptions {
  std::string recipe;
  std::string model = "googlenet";
  std::string data = "fashion-mnist";
  std::string data_dir;
  std::string labels;       ///< empty: subfolders are the classes
  std::string folder_size;  ///< empty: same as image_size
  std::string resize = "stretch";
  bool ignore_orientation = false;
  std::string background = "black";
  double test_fraction = 0.0;
  std::int64_t split_seed = 1;
  std::string image_size;  ///< empty: from the model's description
  std::vector<double> mean = {0.0};
  std::vector<double> std = {1.0};
  std::int64_t crop_padding = 0;
  bool flip = false;
  double scale = 1.0;
  double ratio = 1.0;
  double brightness = 0.0;
  double contrast = 0.0;
  double saturation = 0.0;
  std::int64_t epochs = 10;
  std::int64_t batch_size = 128;
  std::int64_t accumulate = 1;
  std::string optimizer = "sgd";
  double learning_rate = 0.1;
  double momentum = 0.0;
  double base_momentum = -1.0;  ///< negative: same as momentum
  bool nesterov = false;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  double max_norm = 0.0;
  double ema = 0.0;
  double label_smoothing = 0.0;
  std::string schedule = "constant";
  double warmup_epochs = 0.0;
  double pct_start = 0.3;
  double step_size = 30.0;
  double gamma = 0.1;
  double eta_min = 0.0;
  std::int64_t patience = 0;  ///< 0: no early stopping
  std::string initialization = "xavier-uniform";
  std::string init_file;
  std::int64_t reset_head = 0;
  bool no_transform_input = false;
  std::vector<std::string> freeze;
  std::string device = "auto";
  std::string compute = "f32";
  std::string kernels = "ours";
  int threads = 0;
  std::int64_t seed = 1;
  double validation_fraction = 0.0;
  std::int64_t hold_out = 0;
  std::int64_t limit_train = 0;
  std::int64_t limit_test = 0;
  bool no_shuffle = false;
  bool balance_classes = false;
  std::int64_t log_every = 10;

  // Options below do not affect results.
  bool stream = false;
  std::string cache;  ///< folder of cached pixels for --data folder:PATH; empty: no cache
  bool no_graph = false;
  bool check_nan = false;
  bool profile = false;
  std::int64_t profile_steps = 0;
  int num_workers = 1;
  std::int64_t checkpoint_every = 0;
  std::int64_t keep_checkpoints = 3;
  bool tensorboard = false;
  std::string out;
  std::string resume;
  bool overwrite = false;
};

/// Adds the options to a command line.
void declare(CommandLine& command_line, TrainOptions& options);

/// Sets options that were not given and have no constant default: from the recipe, the parts of a folder of images, and
/// the learning rate of Adam. Throws Error for an unknown recipe.
void set_defaults(const CommandLine& command_line, TrainOptions& options);

/// How to load a folder of images (except for the default size), and which images to use.
ImageFolderOptions image_folder_options(const TrainOptions& options);
Selection selection(const TrainOptions& options);

/// Throws Error, naming the option, for an invalid value.
void check(const TrainOptions& options);

/// The options that affect results, by name: recorded with a run and kept when it is resumed.
nlohmann::ordered_json to_json(const TrainOptions& options);

/// Completes the options of a resumed run from its recorded ones (`saved`, made by to_json; `source` names their file).
/// Throws Error listing every given option that contradicts them. --epochs may differ if the schedule does not depend
/// on it; otherwise the Error explains how to start a new schedule from the run's weights.
void complete_from(const CommandLine& command_line, TrainOptions& options, const nlohmann::ordered_json& saved,
                   const std::string& source);

}  // namespace minception
