/// Trains a model and leaves a run folder (training/run_folder.h); goes on with one that was stopped.

#include <minception/core/error.h>
#include <minception/core/safetensors.h>
#include <minception/data/registry.h>
#include <minception/examples/program.h>
#include <minception/examples/train_options.h>
#include <minception/models/registry.h>
#include <minception/models/summary.h>
#include <minception/models/weights_file.h>
#include <minception/training/checkpoint.h>
#include <minception/training/evaluation_record.h>
#include <minception/training/profile.h>
#include <minception/training/progress.h>
#include <minception/training/report.h>
#include <minception/training/run_folder.h>
#include <minception/training/tensorboard.h>
#include <minception/training/trainer.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

using namespace minception;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

Schedule schedule_of(const TrainOptions& o, std::int64_t steps_per_epoch) {
  const auto steps = [&](double epochs) { return std::llround(epochs * static_cast<double>(steps_per_epoch)); };
  const bool paper = o.schedule == "paper";
  const double momentum = o.optimizer == "sgd" ? o.momentum : o.beta1;
  return {.kind = paper ? ScheduleKind::step : parse_schedule(o.schedule),
          .learning_rate = o.learning_rate,
          .momentum = momentum,
          .warmup_steps = steps(o.warmup_epochs),
          .step_interval = std::max<std::int64_t>(steps(paper ? 8.0 : o.step_epochs), 1),
          .step_factor = paper ? 0.96 : o.step_factor,
          .lowest_learning_rate = o.lowest_learning_rate,
          .lowest_momentum = o.lowest_momentum < 0.0 ? momentum : o.lowest_momentum,
          .rise_fraction = o.one_cycle_rise};
}

NetworkOptions network_options(const TrainOptions& o, const Shape& image) {
  NetworkOptions options = {
      .max_batch = o.batch_size,
      .compute = o.compute == "bf16" ? DType::bf16 : DType::f32,
      .label_smoothing = o.label_smoothing,
      .sgd = {.momentum = o.momentum > 0.0, .nesterov = o.nesterov, .weight_decay = o.weight_decay},
      .clip_norm = o.clip_norm,
      .ema_decay = o.ema,
      .freeze = o.freeze,
      .dataset_image = image,
      .crop_padding = {o.crop_padding, o.crop_padding},
      .flip = o.flip,
      .least_area = o.crop_area,
      .most_aspect = o.crop_aspect,
      .brightness = o.brightness,
      .contrast = o.contrast,
      .saturation = o.saturation,
      .augmentation_seed = static_cast<std::uint64_t>(o.seed),
      .record = !o.no_graph};
  if (o.optimizer != "sgd") {
    options.adam = {
        .beta2 = o.beta2, .epsilon = o.epsilon, .weight_decay = o.weight_decay, .decoupled = o.optimizer == "adamw"};
  }
  const auto channels = static_cast<std::size_t>(image[0]);
  for (const auto& [name, values] : {std::pair{"--mean", &o.mean}, std::pair{"--deviation", &o.deviation}}) {
    require(values->size() == 1 || values->size() == channels, name, ": ", values->size(),
            " numbers; one is needed, or one per channel of the images, ", channels);
  }
  require(o.saturation == 0.0 || channels == 3, "--saturation needs colour images; these have ", channels,
          channels == 1 ? " channel" : " channels");
  // (pixel / 255 - mean) / deviation
  options.scale.resize(o.deviation.size());
  options.shift.resize(std::max(o.mean.size(), o.deviation.size()));
  for (std::size_t c = 0; c < options.scale.size(); ++c) {
    options.scale[c] = static_cast<float>(1.0 / (255.0 * o.deviation[c]));
  }
  for (std::size_t c = 0; c < options.shift.size(); ++c) {
    options.shift[c] = static_cast<float>((o.mean.size() == 1 ? -o.mean[0] : -o.mean[c]) /
                                          (o.deviation.size() == 1 ? o.deviation[0] : o.deviation[c]));
  }
  return options;
}

/// What the images are that a training is tested on.
const char* part(const TrainOptions& o) { return o.hold_out > 0 ? "held-out" : "test"; }

Json config_json(const TrainOptions& o, const Json& recorded, const Network& network, const Dataset& dataset) {
  const Shape& input = network.model().config.input;
  const Network::Memory& memory = network.memory();
  return {
      {"model", o.model},
      {"input", {input[0], input[1], input[2]}},
      {"classes", network.model().config.classes},
      {"parameters", network.parameters().trained_values()},
      {"data", o.data},
      {"data_dir", o.data_dir},
      {"train_images", dataset.train.size()},
      {"test_images", dataset.test.size()},
      {"epochs", o.epochs},
      {"batch_size", o.batch_size},
      {"options", recorded},
      {"device", o.device},
      {"backend", network.backend().description()},
      {"compute", o.compute},
      {"kernels", o.kernels},
      {"processor", processor_name()},
      {"compiler", compiler_name()},
      {"memory",
       {{"parameters", memory.parameters},
        {"gradients", memory.gradients},
        {"optimizer", memory.optimizer},
        {"averages", memory.averages},
        {"packed", memory.packed},
        {"arena", memory.arena},
        {"activations", memory.training.activations},
        {"activation_gradients", memory.training.gradients},
        {"largest_workspace", memory.training.largest_workspace},
        {"without_reuse", memory.training.without_reuse},
        {"live", memory.training.live},
        {"total", memory.total},
        {"available", memory.available}}},
  };
}

/// What a run that is resumed was asked for, and where it stands.
struct Resumed {
  Json options;
  std::optional<Checkpoint> checkpoint;  ///< none: it was stopped before its first one
};

Json parse_json(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, false);
  require(json.is_object(), source, ": is no valid JSON; the run cannot be resumed");
  return json;
}

/// Takes the newest checkpoint that can be read, and completes the options by what it says.
Resumed find_resumed(const CLI::App& app, TrainOptions& o) {
  const fs::path run = o.resume;
  const fs::path config_path = run / "config.json";
  const Json config = parse_json(read_text(config_path), config_path.string());
  Resumed resumed{config.value("options", Json()), std::nullopt};
  std::string source = config_path.string();
  for (const fs::path& path : checkpoints_of(run)) {
    try {
      resumed.checkpoint = read_checkpoint(path);
    } catch (const Error& error) {
      std::fprintf(stderr, "warning: %s; the checkpoint before it is taken\n", error.what());
      continue;
    }
    resumed.options = parse_json(resumed.checkpoint->options, path.string());
    source = path.string();
    break;
  }
  complete_from(app, o, resumed.options, source);
  if (o.data_dir.empty()) o.data_dir = config.value("data_dir", "");
  for (const auto& [key, now] : {std::pair{"processor", processor_name()}, std::pair{"compiler", compiler_name()}}) {
    const std::string was = config.value(key, now);
    if (was != now) {
      std::fprintf(stderr, "warning: the run was started with another %s (%s, now %s): bits may differ\n", key,
                   was.c_str(), now.c_str());
    }
  }
  return resumed;
}

void load_initial_weights(Network& network, const TrainOptions& o) {
  std::map<std::string, FileTensor> weights = weights_among(read_safetensors(o.init_file).tensors);
  try {
    if (o.reset_head > 0) {
      load_all_but_heads(network, std::move(weights));
    } else {
      network.load_state(weights);
    }
  } catch (const Error& error) {
    fail(o.init_file, ": ", error.what());
  }
}

/// A training with its folder: what is printed, written and saved while it runs.
class Session {
 public:
  Session(const TrainOptions& o, Network& network, Trainer& trainer, const Dataset& dataset, Json recorded)
      : o_(o),
        network_(network),
        trainer_(trainer),
        dataset_(dataset),
        recorded_(std::move(recorded)),
        run_(o.resume.empty() ? o.out : o.resume,
             o.resume.empty() ? (o.overwrite ? RunFolder::Open::overwrite : RunFolder::Open::fresh)
                              : RunFolder::Open::resume) {
    run_.write("config.json",
               config_json(o, recorded_, network, dataset).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    const Metrics metrics = run_.cut_metrics(trainer.state());
    if (!o.tensorboard) return;
    if (!o.resume.empty()) rewrite_events(run_.file("tensorboard"), metrics);
    events_.emplace(run_.file("tensorboard"));
  }

  /// Returns false if it was stopped.
  bool run(Feed& test) {
    try {
      while (!trainer_.finished()) {
        if (stop_signal() != 0 || !train_epoch() || !test_epoch(test)) return stopped();
      }
    } catch (const Error&) {
      write_report();
      throw;
    }
    write_report();
    std::printf("%s holds model.safetensors, checkpoints, metrics.jsonl and report.html\n", run_.path().c_str());
    return true;
  }

  /// Instead of training: leaves profile.json in the folder.
  void profile_steps(Feed& feed) {
    const bool emulated = network_.backend().device().kind == DeviceKind::cuda && cuda_is_emulated();
    const Profile found = profile(network_, feed,
                                  {.batch_size = o_.batch_size,
                                   .steps = o_.profile_steps > 0 ? o_.profile_steps : (emulated ? 1 : 10),
                                   .seed = static_cast<std::uint64_t>(o_.seed),
                                   .shuffle = !o_.no_shuffle});
    run_.write("profile.json", to_json(found));
    std::printf("%s%s holds all of it\n", profile_text(found).c_str(), run_.file("profile.json").c_str());
  }

 private:
  bool train_epoch() {
    const TrainerState start = trainer_.state();
    std::optional<Progress> bar;
    if (!trainer_.epoch_trained()) {
      bar.emplace(concat("epoch ", start.epoch, "/", o_.epochs), dataset_.train.size(), "images", start.position);
    }
    TrainerHooks hooks;
    hooks.progress = [&](const TrainerProgress& progress) {
      char note[64];
      std::snprintf(note, sizeof note, "loss %.4f  accuracy %.4f", progress.loss, progress.accuracy);
      bar->update(progress.done, note);
    };
    hooks.line = [&](const StepMetrics& line) {
      run_.append(to_json_line(line));
      if (events_) events_->add(line);
    };
    hooks.notice = [&](const Notice& notice) {
      run_.append(to_json_line(notice));
      bar->clear();
      std::fprintf(stderr, "warning: %s\n", notice.text.c_str());
    };
    hooks.after_step = [&] {
      if (stop_signal() != 0) return false;
      const std::int64_t step = trainer_.step();
      if (o_.checkpoint_every > 0 && step % o_.checkpoint_every == 0 && !trainer_.epoch_trained()) save();
      return true;
    };
    return trainer_.train_epoch(hooks);
  }

  bool test_epoch(Feed& test) {
    const auto start = std::chrono::steady_clock::now();
    std::optional<Progress> bar(std::in_place, "test       ", dataset_.test.size(), "images");
    Evaluation evaluation = evaluate(
        network_, test, dataset_.test.labels, {.most_mistakes = kMistakes}, [&](const EvaluationProgress& progress) {
          char note[64];
          std::snprintf(note, sizeof note, "loss %.4f  accuracy %.4f", progress.loss, progress.top1);
          bar->update(progress.done, note);
          return stop_signal() == 0;
        });
    bar.reset();
    if (evaluation.samples < dataset_.test.size()) return false;
    EpochMetrics metrics = trainer_.finish_epoch();
    metrics.test_loss = evaluation.loss;
    metrics.test_accuracy = evaluation.top1;
    metrics.test_top5 = evaluation.top5;
    metrics.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("epoch %lld/%lld  train loss %.4f accuracy %.4f  test loss %.4f accuracy %.4f  %.0f images/s  %s\n",
                static_cast<long long>(metrics.epoch), static_cast<long long>(o_.epochs), metrics.train_loss,
                metrics.train_accuracy, metrics.test_loss, metrics.test_accuracy, metrics.examples_per_second,
                clock_time(metrics.seconds).c_str());
    std::fflush(stdout);

    run_.append(to_json_line(metrics));
    if (events_) events_->add(metrics);
    const EvaluationRecord record = make_evaluation_record(concat(dataset_.name, ", ", part(o_)), metrics.epoch,
                                                           metrics.step, std::move(evaluation), dataset_.test);
    run_.write("evaluation.json", to_json(record));
    write_safetensors(run_.file("model.safetensors"),
                      {network_.averaged_state(), weights_metadata(network_, dataset_.train.class_names)});
    save();
    if (!trainer_.finished()) write_report();
    return true;
  }

  void save() {
    const TrainerState state = trainer_.state();
    write_checkpoint(run_.checkpoint_path(state.step), network_, state, recorded_.dump(), dataset_.train.class_names);
    run_.keep_checkpoints(static_cast<std::size_t>(o_.keep_checkpoints));
  }

  bool stopped() {
    save();
    write_report();
    std::printf("stopped after step %lld of %lld; go on with: train --resume %s\n",
                static_cast<long long>(trainer_.step()), static_cast<long long>(trainer_.total_steps()),
                run_.path().c_str());
    return false;
  }

  void write_report() {
    try {
      const fs::path path = run_.path();
      run_.write("report.html", report_html({&path, 1}));
    } catch (const Error& error) {  // a picture is no reason to lose a training
      std::fprintf(stderr, "warning: %s\n", error.what());
    }
  }

  static constexpr std::size_t kMistakes = 36;

  const TrainOptions& o_;
  Network& network_;
  Trainer& trainer_;
  const Dataset& dataset_;
  Json recorded_;
  RunFolder run_;
  std::optional<EventFile> events_;
};

/// Returns false if it was stopped.
bool train(const CLI::App& app, TrainOptions o) {
  const DeviceChoice device = choose_device(o.device);
  o.device = device.name;
  set_defaults(app, o);
  check(o);
  const bool resuming = !o.resume.empty();
  Resumed resumed;
  if (resuming) {
    RunFolder::check(o.resume, RunFolder::Open::resume);
    resumed = find_resumed(app, o);
    check(o);
  } else {
    RunFolder::check(o.out, o.overwrite ? RunFolder::Open::overwrite : RunFolder::Open::fresh);
  }
  const Shape size = parse_image_size(o.image_size);
  const Initialization initialization = parse_initialization(o.initialization);

  Dataset dataset = load_dataset(o.data, o.data_dir,
                                 {.size = o.folder_size.empty() ? size : parse_image_size(o.folder_size),
                                  .test_fraction = o.test_fraction,
                                  .split_seed = static_cast<std::uint64_t>(o.split_seed),
                                  .progress = loading_bar()});
  keep_parts(dataset, o.hold_out, o.limit_train, o.limit_test);
  const Shape& image = dataset.train.image;
  Json recorded = to_json(o);
  recorded["data_checksum"] = {checksum(dataset.train), checksum(dataset.test)};
  require(!resuming || resumed.options.value("data_checksum", Json()) == recorded["data_checksum"], o.resume,
          ": the images or labels of ", o.data,
          " are not those that the run was started with; name their folder with "
          "--data-dir");
  std::printf("%s: %lld training and %lld %s images, %lldx%lld\n", dataset.name.c_str(),
              static_cast<long long>(dataset.train.size()), static_cast<long long>(dataset.test.size()), part(o),
              static_cast<long long>(image[1]), static_cast<long long>(image[2]));

  const auto classes = static_cast<std::int64_t>(dataset.train.class_names.size());
  require(o.reset_head == 0 || o.reset_head == classes, "--reset-head ", o.reset_head, ": ", dataset.name, " has ",
          classes, " classes");
  const std::unique_ptr<Backend> backend = make_device(o.device, o.threads, o.compute == "tf32", o.kernels);
  Model model = make_model({.name = o.model,
                            .input = {image[0], size[0], size[1]},
                            .classes = classes,
                            .seed = static_cast<std::uint64_t>(o.seed)});
  for (const std::string& warning : model.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  Network network(std::move(model), *backend, network_options(o, image));
  std::printf("device: %s, %s%s\n%s", o.device.c_str(), backend->description().c_str(),
              device.why.empty() ? "" : concat(" (auto: ", device.why, ")").c_str(), memory_table(network).c_str());
  if (resumed.checkpoint) {
    load_checkpoint(network, *resumed.checkpoint);
  } else {
    network.initialize(initialization, static_cast<std::uint64_t>(o.seed));
    if (!o.init_file.empty()) load_initial_weights(network, o);
  }

  // Where samples come from: the device, or host memory by way of threads. Either way gives the same batches.
  ResidentDataset train_on_device, test_on_device;
  const MemorySource train_source(dataset.train), test_source(dataset.test);
  std::unique_ptr<Feed> train_feed, test_feed;
  const std::size_t dataset_bytes = dataset.train.pixels.size() + dataset.test.pixels.size();
  const std::size_t free_bytes = backend->available_memory();
  const bool too_large = free_bytes > 0 && dataset_bytes > free_bytes / 10 * 9;
  if (too_large && !o.stream) {
    std::printf(
        "the images (%zu MiB) do not fit into what is left of the device's memory (%zu MiB): they are streamed\n",
        dataset_bytes >> 20, free_bytes >> 20);
  }
  if (o.stream || too_large) {
    train_feed = std::make_unique<StreamedFeed>(train_source, o.loader_threads);
    test_feed = std::make_unique<StreamedFeed>(test_source, o.loader_threads);
  } else {
    train_on_device = make_resident(*backend, image, dataset.train.pixels, dataset.train.labels);
    test_on_device = make_resident(*backend, image, dataset.test.pixels, dataset.test.labels);
    dataset.train.pixels = {};  // the device has its own copy now; the test's worst mistakes are shown
    train_feed = std::make_unique<ResidentFeed>(train_on_device);
    test_feed = std::make_unique<ResidentFeed>(test_on_device);
  }
  const std::int64_t steps_per_epoch =
      (dataset.train.size() + o.batch_size * o.accumulate - 1) / (o.batch_size * o.accumulate);
  Trainer trainer(network, *train_feed,
                  {.epochs = o.epochs,
                   .batch_size = o.batch_size,
                   .accumulate = o.accumulate,
                   .seed = static_cast<std::uint64_t>(o.seed),
                   .shuffle = !o.no_shuffle,
                   .schedule = schedule_of(o, steps_per_epoch),
                   .steps_per_line = o.log_every,
                   .check_every_step = o.check_nan});
  if (resumed.checkpoint) trainer.set_state(resumed.checkpoint->state);
  if (resuming && trainer.finished()) {
    std::printf("%s has run all of its %lld epochs; nothing is left to do\n", o.resume.c_str(),
                static_cast<long long>(o.epochs));
    return true;
  }
  if (resuming) {
    std::printf("going on after step %lld of %lld\n", static_cast<long long>(trainer.step()),
                static_cast<long long>(trainer.total_steps()));
  }
  Session session(o, network, trainer, dataset, std::move(recorded));
  if (o.profile) {
    session.profile_steps(*train_feed);
    return true;
  }
  stop_between_steps();  // the first Ctrl-C lets the step end and saves
  return session.run(*test_feed);
}

}  // namespace

int main(int argc, char** argv) {
  TrainOptions options;
  CLI::App app("Trains a model and leaves a run folder; goes on with one that was stopped.", "train");
  declare(app, options);
  bool complete = true;
  const int code = run_program(app, argc, argv, [&] { complete = train(app, options); });
  return code == 0 && !complete ? 128 + stop_signal() : code;
}
