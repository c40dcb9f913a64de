/// Trains a model and writes a run folder (training/run_folder.h), or resumes a stopped run.

#include "core/error.h"
#include "core/safetensors.h"
#include "data/registry.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "tools/initial_weights.h"
#include "tools/program.h"
#include "tools/train_options.h"
#include "training/checkpoint.h"
#include "training/fit.h"
#include "training/run_folder.h"
#include "training/session.h"

#include <cstdio>
#include <memory>
#include <optional>

using namespace minception;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

Optimizer optimizer_of(const TrainOptions& o) {
  if (o.optimizer == "sgd") {
    return Sgd{.lr = o.learning_rate, .momentum = o.momentum, .nesterov = o.nesterov, .weight_decay = o.weight_decay};
  }
  const Adam adam = {
      .lr = o.learning_rate, .beta1 = o.beta1, .beta2 = o.beta2, .eps = o.eps, .weight_decay = o.weight_decay};
  if (o.optimizer == "adam") return adam;
  return AdamW{
      .lr = adam.lr, .beta1 = adam.beta1, .beta2 = adam.beta2, .eps = adam.eps, .weight_decay = adam.weight_decay};
}

/// Options for `fit`, without those that belong to a resumed run or to initial weights.
FitOptions fit_options(const TrainOptions& o) {
  const bool paper = o.schedule == "paper";
  return {.out = o.resume.empty() ? o.out : o.resume,
          .overwrite = o.overwrite,
          .resume = !o.resume.empty(),
          .epochs = o.epochs,
          .batch_size = o.batch_size,
          .accumulate = o.accumulate,
          .optimizer = optimizer_of(o),
          .schedule = {.kind = paper ? ScheduleKind::step : parse_schedule(o.schedule),
                       .warmup_epochs = o.warmup_epochs,
                       .step_size = paper ? 8.0 : o.step_size,
                       .gamma = paper ? 0.96 : o.gamma,
                       .eta_min = o.eta_min,
                       .base_momentum = o.base_momentum,
                       .pct_start = o.pct_start},
          .label_smoothing = o.label_smoothing,
          .max_norm = o.max_norm,
          .ema_decay = o.ema,
          .patience = o.patience,
          .shuffle = !o.no_shuffle,
          .balance_classes = o.balance_classes,
          .augmentation = {.padding = {o.crop_padding, o.crop_padding},
                           .flip = o.flip,
                           .scale = o.scale,
                           .ratio = o.ratio,
                           .brightness = o.brightness,
                           .contrast = o.contrast,
                           .saturation = o.saturation},
          .normalization = {o.mean, o.std},
          .seed = static_cast<std::uint64_t>(o.seed),
          .initialization = parse_initialization(o.initialization),
          .init = o.init_file,
          .init_heads = o.reset_head > 0 ? Heads::keep : Heads::load,
          .freeze = o.freeze,
          .device = o.device,
          .kernels = o.kernels,
          .compute = o.compute,
          .threads = o.threads,
          .graph_capture = !o.no_graph,
          .stream = o.stream,
          .num_workers = o.num_workers,
          .log_every = o.log_every,
          .checkpoint_every = o.checkpoint_every,
          .keep_checkpoints = o.keep_checkpoints,
          .tensorboard = o.tensorboard,
          .check_nan = o.check_nan,
          .profile = o.profile,
          .profile_steps = o.profile_steps,
          .should_stop = [] { return stop_signal() != 0; }};
}

/// Recorded options and state of a resumed run.
struct Resumed {
  Json options;
  std::optional<Checkpoint> checkpoint;  ///< none: stopped before the first checkpoint
  std::int64_t channels = 0;             ///< of its images; 0: not recorded
  std::string graph;                     ///< layers of a model that is not in the registry, from config.json
};

Json parse_json(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, false);
  require(json.is_object(), source, ": is not valid JSON; the run cannot be resumed");
  return json;
}

/// Finds the newest readable checkpoint and completes the options from it.
Resumed find_resumed(const CommandLine& command_line, TrainOptions& o) {
  const fs::path run = o.resume;
  const fs::path config_path = run / "config.json";
  const Json config = parse_json(read_text(config_path), config_path.string());
  Resumed resumed{config.value("options", Json()), std::nullopt, 0, ""};
  if (const Json input = config.value("input", Json()); input.size() == 3) resumed.channels = input[0];
  if (config.contains("network")) resumed.graph = config["network"].dump();
  std::string source = config_path.string();
  const std::vector<fs::path> checkpoints = checkpoints_of(run);
  for (const fs::path& path : checkpoints) {
    try {
      resumed.checkpoint = read_checkpoint(path);
    } catch (const Error& error) {
      std::fprintf(stderr, "warning: %s; using the checkpoint before it\n", error.what());
      continue;
    }
    resumed.options = parse_json(resumed.checkpoint->options, path.string());
    source = path.string();
    break;
  }
  require(resumed.checkpoint || checkpoints.empty(), o.resume, ": none of its ", checkpoints.size(),
          " checkpoints can be used; start a new run with --out");
  // If --epochs was changed and the run stopped before its next checkpoint, only config.json has the new number.
  if (config.contains("options"))
    resumed.options["epochs"] = config["options"].value("epochs", resumed.options["epochs"]);
  complete_from(command_line, o, resumed.options, source);
  if (o.data_dir.empty()) o.data_dir = config.value("data_dir", "");
  for (const auto& [key, now] : {std::pair{"processor", processor_name()}, std::pair{"compiler", compiler_name()}}) {
    const std::string was = config.value(key, now);
    if (was != now) {
      std::fprintf(
          stderr,
          "warning: the run was started with a different %s (%s, now %s): results may differ in the last bits\n", key,
          was.c_str(), now.c_str());
    }
  }
  return resumed;
}

/// Returns false if stopped. `results`: as FitResult::text.
bool train(const CommandLine& command_line, TrainOptions o, std::string& results) {
  const std::string asked = o.device;
  o.device = choose_device(o.device).name;
  set_defaults(command_line, o);
  check(o);
  const bool resuming = !o.resume.empty();
  Resumed resumed;
  if (resuming) {
    RunFolder::check(o.resume, RunFolder::Open::resume);
    resumed = find_resumed(command_line, o);
    check(o);
    check(fit_options(o));
  } else {
    check(fit_options(o));
    RunFolder::check(o.out, o.overwrite ? RunFolder::Open::overwrite : RunFolder::Open::fresh);
  }
  std::optional<WeightsFile> initial;
  if (!resumed.checkpoint) initial = read_initial_weights(command_line, o);
  const Shape size = parse_image_size(o.image_size);

  ImageFolderOptions folder = image_folder_options(o);
  if (o.folder_size.empty()) folder.size = {size[0], size[1]};
  folder.channels = initial ? initial->config.input[0] : resumed.channels;
  folder.cache = o.cache;
  folder.progress = loading_bar();
  Dataset dataset = load_dataset(o.data, o.data_dir, folder, selection(o));
  if (is_image_folder(o.data)) {
    for (const fs::path& path : unused_folders(image_folder_paths(o.data, o.data_dir), folder)) {
      std::fprintf(stderr, "warning: %s is next to train and test but is not used\n", printable(path.string()).c_str());
    }
  }
  const Part part = evaluated_part(dataset);
  const ImageDataset& evaluated = images_of(dataset, part);
  require(evaluated.size() > 0, o.data, ": no test images; add a folder test, or hold out some ",
          "training images: --validation-fraction 0.2");
  if (initial) check_initial_weights(*initial, o, dataset);
  const Shape& image = dataset.train.image;
  Json recorded = to_json(o);
  recorded["data_checksum"] = {checksum(dataset.train), checksum(dataset.test)};
  if (dataset.validation.size() > 0) recorded["data_checksum"].push_back(checksum(dataset.validation));
  require(!resuming || resumed.options.value("data_checksum", Json()) == recorded["data_checksum"], o.resume,
          ": the images or labels of ", o.data,
          " differ from those of the first start of the run; give their folder with --data-dir");
  const std::int64_t classes = dataset.classes();
  require(o.reset_head == 0 || o.reset_head == classes, "--reset-head ", o.reset_head, ": ", dataset.name, " has ",
          classes, " classes");
  ModelConfig config = {.name = o.model,
                        .input = {image[0], size[0], size[1]},
                        .classes = classes,
                        .seed = static_cast<std::uint64_t>(o.seed),
                        .transform_input = !o.no_transform_input};
  config.graph = resumed.checkpoint ? resumed.checkpoint->graph : resumed.graph;
  if (initial && !initial->config.graph.empty()) {
    config.graph = with_classes(initial->config.graph, initial->config.classes, classes);
  }

  FitOptions options = fit_options(o);
  if (!resuming) options.device = asked;  // for the reason why auto chose cpu
  options.recorded = recorded.dump();
  options.resume_command = concat(command_line.invoked_as(), " --resume ", options.out.string());
  options.init_weights = initial ? &*initial : nullptr;
  options.checkpoint = resumed.checkpoint ? &*resumed.checkpoint : nullptr;
  if (!o.profile) stop_between_steps();  // the first Ctrl-C finishes the step and saves
  Model model;
  try {
    model = make_model(config);
  } catch (const Error& error) {
    fail(resuming ? o.resume + ": " : "", error.what());
  }
  const FitResult result = fit(model, std::move(dataset), options);
  results = result.text;
  return !result.stopped;
}

}  // namespace

int main(int argc, char** argv) {
  TrainOptions options;
  CommandLine command_line("Trains a model into a run folder, or resumes a stopped run.", "train");
  declare(command_line, options);
  ignore_output_signals();
  bool complete = true;
  std::string results;
  const int code = command_line.run(
      argc, argv, [&] { complete = train(command_line, options, results); }, results);
  return complete ? code : 128 + stop_signal();
}
