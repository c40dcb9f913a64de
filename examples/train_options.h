#pragma once
/// What `train` can be asked for.

#include <minception/data/image_folder.h>
#include <minception/data/subset.h>
#include <minception/examples/command_line.h>

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
  std::string labels;       ///< empty: folders say the classes
  std::string folder_size;  ///< empty: as image_size
  std::string resize = "stretch";
  bool ignore_orientation = false;
  std::string background = "black";
  double test_fraction = 0.0;
  std::int64_t split_seed = 1;
  std::string image_size;  ///< empty: as the model's description says
  std::vector<double> mean = {0.0};
  std::vector<double> deviation = {1.0};
  std::int64_t crop_padding = 0;
  bool flip = false;
  double crop_area = 1.0;
  double crop_aspect = 1.0;
  double brightness = 0.0;
  double contrast = 0.0;
  double saturation = 0.0;
  std::int64_t epochs = 10;
  std::int64_t batch_size = 128;
  std::int64_t accumulate = 1;
  std::string optimizer = "sgd";
  double learning_rate = 0.1;
  double momentum = 0.0;
  double lowest_momentum = -1.0;  ///< negative: as momentum
  bool nesterov = false;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  double clip_norm = 0.0;
  double ema = 0.0;
  double label_smoothing = 0.0;
  std::string schedule = "constant";
  double warmup_epochs = 0.0;
  double one_cycle_rise = 0.3;
  double step_epochs = 30.0;
  double step_factor = 0.1;
  double lowest_learning_rate = 0.0;
  std::int64_t patience = 0;  ///< 0: never
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

  // These change no number of a training.
  bool stream = false;
  std::string cache;  ///< of the pixels of a folder; empty: none
  bool no_graph = false;
  bool check_nan = false;
  bool profile = false;
  std::int64_t profile_steps = 0;
  int loader_threads = 1;
  std::int64_t checkpoint_every = 0;
  std::int64_t keep_checkpoints = 3;
  bool tensorboard = false;
  std::string out;
  std::string resume;
  bool overwrite = false;
};

/// Adds the options to a program's command line.
void declare(CommandLine& command_line, TrainOptions& options);

/// Sets what was not given and has no constant default: what the recipe says, the parts of a folder of images, and the
/// learning rate of Adam. Throws Error for an unknown recipe.
void set_defaults(const CommandLine& command_line, TrainOptions& options);

/// How a folder of images is loaded, but for the size, and which images are taken.
ImageFolderOptions image_folder_options(const TrainOptions& options);
Selection selection(const TrainOptions& options);

/// Throws Error, naming the option, for a value that cannot be.
void check(const TrainOptions& options);

/// The options that decide what is computed, by name: what a run records and a resumed one keeps.
nlohmann::ordered_json to_json(const TrainOptions& options);

/// Completes the options of the command line by what the run that is resumed was asked for (`recorded`, what to_json
/// made; `source` names the file that says it). Throws Error that lists every option that was given and says something
/// else. Another number of epochs is no contradiction where the schedule does not depend on it; where it does, the Error
/// says how a new schedule starts from the run's weights.
void complete_from(const CommandLine& command_line, TrainOptions& options, const nlohmann::ordered_json& recorded,
                   const std::string& source);

}  // namespace minception
