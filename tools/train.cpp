/// Trains a model and writes a run folder (training/run_folder.h), or resumes a stopped run.

#include "core/error.h"
#include "core/safetensors.h"
#include "data/registry.h"
#include "models/registry.h"
#include "models/summary.h"
#include "models/weights_file.h"
#include "tools/initial_weights.h"
#include "tools/program.h"
#include "tools/train_options.h"
#include "tools/train_session.h"
#include "training/checkpoint.h"
#include "training/run_folder.h"
#include "training/trainer.h"

#include <cmath>
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
  return Adam{.lr = o.learning_rate,
              .beta1 = o.beta1,
              .beta2 = o.beta2,
              .eps = o.eps,
              .weight_decay = o.weight_decay,
              .decoupled = o.optimizer == "adamw"};
}

Schedule schedule_of(const TrainOptions& o, std::int64_t steps_per_epoch) {
  const auto steps = [&](double epochs) { return std::llround(epochs * static_cast<double>(steps_per_epoch)); };
  const bool paper = o.schedule == "paper";
  return {.kind = paper ? ScheduleKind::step : parse_schedule(o.schedule),
          .warmup_steps = steps(o.warmup_epochs),
          .step_size = std::max<std::int64_t>(steps(paper ? 8.0 : o.step_size), 1),
          .gamma = paper ? 0.96 : o.gamma,
          .eta_min = o.eta_min,
          .base_momentum = o.base_momentum < 0.0 ? momentum_of(optimizer_of(o)) : o.base_momentum,
          .pct_start = o.pct_start};
}

NetworkOptions network_options(const TrainOptions& o, const Shape& image) {
  NetworkOptions options = {.max_batch = o.batch_size,
                            .compute = o.compute == "bf16" ? DType::bf16 : DType::f32,
                            .label_smoothing = o.label_smoothing,
                            .optimizer = optimizer_of(o),
                            .max_norm = o.max_norm,
                            .ema_decay = o.ema,
                            .freeze = o.freeze,
                            .dataset_image = image,
                            .image_options = image_folder_options(o).image,
                            .augmentation = {.padding = {o.crop_padding, o.crop_padding},
                                             .flip = o.flip,
                                             .seed = static_cast<std::uint64_t>(o.seed),
                                             .scale = o.scale,
                                             .ratio = o.ratio,
                                             .brightness = o.brightness,
                                             .contrast = o.contrast,
                                             .saturation = o.saturation},
                            .graph_capture = !o.no_graph};
  const auto channels = static_cast<std::size_t>(image[0]);
  for (const auto& [name, values] : {std::pair{"--mean", &o.mean}, std::pair{"--std", &o.std}}) {
    require(values->size() == 1 || values->size() == channels, name, ": ", values->size(),
            " numbers; give one, or one per image channel: ", channels);
  }
  require(o.saturation == 0.0 || channels == 3, "--saturation needs colour images; these have ", channels,
          channels == 1 ? " channel" : " channels");
  const Normalization normalization = {o.mean, o.std};
  options.scale = normalization.scale();
  options.shift = normalization.shift();
  return options;
}

/// Recorded options and state of a resumed run.
struct Resumed {
  Json options;
  std::optional<Checkpoint> checkpoint;  ///< none: stopped before the first checkpoint
  std::int64_t channels = 0;             ///< of its images; 0: not recorded
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
  Resumed resumed{config.value("options", Json()), std::nullopt};
  if (const Json input = config.value("input", Json()); input.size() == 3) resumed.channels = input[0];
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

/// "160 training, 40 validation and 100 test"
std::string parts_text(const Dataset& dataset) {
  std::string text = concat(dataset.train.size(), " training");
  if (dataset.validation.size() > 0) {
    text += concat(dataset.test.size() > 0 ? ", " : " and ", dataset.validation.size(), " validation");
  }
  return dataset.test.size() > 0 ? concat(text, " and ", dataset.test.size(), " test") : text;
}

/// Whether a run with all epochs still lacks the test of its best weights.
bool was_not_tested(const fs::path& run) { return read_metrics(run / "metrics.jsonl").last_test() == nullptr; }

/// Returns false if stopped. `results`: as in TrainSession::run.
bool train(const CommandLine& command_line, TrainOptions o, std::string& results) {
  const DeviceChoice device = choose_device(o.device);
  o.device = device.name;
  set_defaults(command_line, o);
  check(o);
  const bool resuming = !o.resume.empty();
  Resumed resumed;
  if (resuming) {
    RunFolder::check(o.resume, RunFolder::Open::resume);
    resumed = find_resumed(command_line, o);
    check(o);
  } else {
    RunFolder::check(o.out, o.overwrite ? RunFolder::Open::overwrite : RunFolder::Open::fresh);
  }
  std::optional<WeightsFile> initial;
  if (!resumed.checkpoint) initial = read_initial_weights(command_line, o);
  const Shape size = parse_image_size(o.image_size);
  const Initialization initialization = parse_initialization(o.initialization);

  ImageFolderOptions folder = image_folder_options(o);
  if (o.folder_size.empty()) folder.size = size;
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
  std::printf("%s: %s images, %lldx%lld\n", dataset.name.c_str(), parts_text(dataset).c_str(),
              static_cast<long long>(image[1]), static_cast<long long>(image[2]));

  const auto classes = static_cast<std::int64_t>(dataset.train.class_names.size());
  require(o.reset_head == 0 || o.reset_head == classes, "--reset-head ", o.reset_head, ": ", dataset.name, " has ",
          classes, " classes");
  const std::unique_ptr<Backend> backend = make_device(o.device, o.threads, o.compute == "tf32", o.kernels);
  Model model = make_model({.name = o.model,
                            .input = {image[0], size[0], size[1]},
                            .classes = classes,
                            .seed = static_cast<std::uint64_t>(o.seed),
                            .transform_input = !o.no_transform_input});
  for (const std::string& warning : model.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  Network network(std::move(model), *backend, network_options(o, image));
  std::printf("device: %s, %s%s\n%s", o.device.c_str(), backend->description().c_str(),
              device.why.empty() ? "" : concat(" (auto: ", device.why, ")").c_str(), memory_table(network).c_str());
  if (resumed.checkpoint) {
    load_checkpoint(network, *resumed.checkpoint);
  } else {
    network.initialize(initialization, static_cast<std::uint64_t>(o.seed));
    if (initial) load_initial_weights(network, *initial, o);
  }

  // Samples come from device memory or are streamed from host memory by threads. Both give the same batches.
  ResidentDataset train_on_device, evaluated_on_device;
  const MemorySource train_samples(dataset.train), evaluation_samples(evaluated);
  std::unique_ptr<BatchSource> train_source, evaluation_source;
  const std::size_t dataset_bytes = dataset.train.all_pixels().size() + evaluated.all_pixels().size();
  const std::size_t free_bytes = backend->available_memory();
  const bool too_large = free_bytes > 0 && dataset_bytes > free_bytes / 10 * 9;
  if (too_large && !o.stream && o.cache.empty()) {
    std::printf("the images (%zu MiB) do not fit in the free device memory (%zu MiB): they are streamed\n",
                dataset_bytes >> 20, free_bytes >> 20);
  }
  if (o.stream || too_large || !o.cache.empty()) {
    train_source = std::make_unique<StreamingBatchSource>(train_samples, o.num_workers);
    evaluation_source = std::make_unique<StreamingBatchSource>(evaluation_samples, o.num_workers);
  } else {
    train_on_device = make_resident(*backend, image, dataset.train.pixels, dataset.train.labels);
    evaluated_on_device = make_resident(*backend, image, evaluated.pixels, evaluated.labels);
    dataset.train.pixels = {};  // the device has a copy; the report still needs the pixels of the other parts
    train_source = std::make_unique<ResidentBatchSource>(train_on_device);
    evaluation_source = std::make_unique<ResidentBatchSource>(evaluated_on_device);
  }
  std::optional<ClassBalance> balance;
  if (o.balance_classes) balance.emplace(dataset.train.labels, classes);
  const std::int64_t all = balance ? balance->size() : dataset.train.size();
  const std::int64_t samples = Trainer::samples_per_epoch(network, all, o.batch_size);
  if (samples < all) {
    std::fprintf(stderr,
                 "warning: %lld images in batches of %lld leave one over, and BatchNorm cannot train on one image: "
                 "each epoch skips one image, chosen at random\n",
                 static_cast<long long>(all), static_cast<long long>(o.batch_size));
  }
  if (balance) {
    std::printf("each class appears %lld times in an epoch of %lld images\n", static_cast<long long>(all / classes),
                static_cast<long long>(all));
  }
  const std::int64_t steps_per_epoch = (samples + o.batch_size * o.accumulate - 1) / (o.batch_size * o.accumulate);
  Trainer trainer(network, *train_source,
                  {.epochs = o.epochs,
                   .batch_size = o.batch_size,
                   .accumulate = o.accumulate,
                   .seed = static_cast<std::uint64_t>(o.seed),
                   .shuffle = !o.no_shuffle,
                   .balance = balance ? &*balance : nullptr,
                   .schedule = schedule_of(o, steps_per_epoch),
                   .steps_per_line = o.log_every,
                   .check_every_step = o.check_nan});
  if (resumed.checkpoint) trainer.set_state(resumed.checkpoint->state);
  const TrainerState at = trainer.state();
  require(!resuming || at.epoch <= o.epochs || (at.epoch == o.epochs + 1 && at.position == 0), o.resume, ": --epochs ",
          o.epochs, ": the run is already in epoch ", at.epoch, "; resume it with at least that many");
  const bool to_test = part == Part::validation && dataset.test.size() > 0;
  if (resuming && trainer.finished() && !(to_test && was_not_tested(o.resume))) {
    std::printf("%s has completed all %lld epochs; nothing to do\n", o.resume.c_str(),
                static_cast<long long>(o.epochs));
    return true;
  }
  if (resuming && !trainer.finished()) {
    std::printf("resuming after step %lld of %lld\n", static_cast<long long>(trainer.step()),
                static_cast<long long>(trainer.total_steps()));
  }
  TrainSession session(o, network, trainer, dataset, recorded);
  if (resuming && session.finished()) {
    std::printf("%s stopped early by --patience %lld; nothing to do\n", o.resume.c_str(),
                static_cast<long long>(o.patience));
    return true;
  }
  if (o.profile) {
    session.profile_steps(*train_source);
    return true;
  }
  stop_between_steps();  // the first Ctrl-C finishes the step and saves
  return session.run(*evaluation_source, results);
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
