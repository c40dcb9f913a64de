#include "training/fit.h"
#include "core/error.h"
#include "models/graph.h"
#include "models/summary.h"
#include "training/batch_source.h"
#include "training/environment.h"
#include "training/resume.h"
#include "training/run_folder.h"
#include "training/session.h"
#include "training/trainer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

NetworkOptions network_options(const FitOptions& o, const Dataset& dataset) {
  NetworkOptions options = {.max_batch = o.batch_size,
                            .compute = o.compute == "bf16" ? DType::bf16 : DType::f32,
                            .label_smoothing = o.label_smoothing,
                            .optimizer = o.optimizer,
                            .max_norm = o.max_norm,
                            .ema_decay = o.ema_decay,
                            .freeze = o.freeze,
                            .dataset_image = dataset.image(),
                            .image_options = dataset.image_options,
                            .scale = o.normalization.scale(),
                            .shift = o.normalization.shift(),
                            .augmentation = o.augmentation,
                            .graph_capture = o.graph_capture};
  options.augmentation.seed = o.seed;
  const auto channels = static_cast<std::size_t>(dataset.image()[0]);
  for (const auto& [name, values] :
       {std::pair{"mean", &o.normalization.mean}, std::pair{"deviation", &o.normalization.deviation}}) {
    require(values->size() == 1 || values->size() == channels, Field{name}, ": ", values->size(),
            " numbers; give one, or one per image channel: ", channels);
  }
  require(o.augmentation.saturation == 0.0 || channels == 3, Field{"saturation"}, " needs colour images; these have ",
          channels, channels == 1 ? " channel" : " channels");
  return options;
}

/// "160 training, 40 validation and 100 test"
std::string parts_text(const Dataset& dataset) {
  std::string text = concat(dataset.train.size(), " training");
  if (dataset.validation.size() > 0) {
    text += concat(dataset.test.size() > 0 ? ", " : " and ", dataset.validation.size(), " validation");
  }
  return dataset.test.size() > 0 ? concat(text, " and ", dataset.test.size(), " test") : text;
}

/// The samples of a part, on the device or streamed from host memory by threads. Both give the same batches.
class PartSource {
 public:
  PartSource(Backend& backend, const ImageDataset& images, bool stream, int threads) : samples_(images) {
    if (stream) {
      source_ = std::make_unique<StreamingBatchSource>(samples_, threads);
    } else {
      resident_ = make_resident(backend, images.image, images.all_pixels(), images.labels);
      source_ = std::make_unique<ResidentBatchSource>(resident_);
    }
  }
  BatchSource& operator*() { return *source_; }

 private:
  MemorySource samples_;
  ResidentDataset resident_;
  std::unique_ptr<BatchSource> source_;
};

void load_initial(Network& network, const Dataset& dataset, const FitOptions& o) {
  std::optional<WeightsFile> read;
  if (o.init_weights == nullptr) {
    read = read_weights_file(o.init);
    if (o.init_heads == Heads::load) {
      check_class_names(o.init.string(), read->class_names, dataset.name, dataset.train.class_names);
    }
  }
  const WeightsFile& weights = read ? *read : *o.init_weights;
  std::string names;
  for (const std::string& name : load_weights(network, weights, o.init, o.init_heads)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty() || !o.verbose) return;
  std::printf("%s has no auxiliary classifiers (%s): they start from their initial values\n", o.init.c_str(),
              names.c_str());
}

/// `releasable`: the data set, if its training pixels may be freed.
FitResult fit(const Model& original, const Dataset& dataset, const FitOptions& o, Dataset* releasable) {
  check(o);
  const DeviceChoice device = choose_device(o.device);
  RunFolder::check(o.out, o.resume      ? RunFolder::Open::resume
                          : o.overwrite ? RunFolder::Open::overwrite
                                        : RunFolder::Open::fresh);
  std::optional<Checkpoint> newest;
  if (o.resume && o.checkpoint == nullptr) newest = newest_checkpoint(o.out, o.on_warning);
  const Checkpoint* checkpoint = newest ? &*newest : o.checkpoint;

  const Part part = evaluated_part(dataset);
  const ImageDataset& evaluated = images_of(dataset, part);
  require(dataset.train.size() > 0, dataset.name, ": no training images");
  require(evaluated.size() > 0, dataset.name, ": no images to evaluate on; hold out some training images, ",
          Setting{"validation_fraction", 0.2});
  const Shape& image = dataset.image();
  const std::int64_t classes = dataset.classes();
  if (o.verbose) {
    std::printf("%s: %s images, %lldx%lld\n", dataset.name.c_str(), parts_text(dataset).c_str(),
                static_cast<long long>(image[1]), static_cast<long long>(image[2]));
  }
  require(original.config.classes == classes, original.config.name, " has ", original.config.classes, " classes, ",
          dataset.name, " has ", classes);
  require(original.config.input.rank() == 3 && original.config.input[0] == image[0], original.config.name,
          " takes images of ", original.config.input, ", those of ", dataset.name, " are ", image);

  // The checksums in it need the pixels.
  const std::string recorded = o.recorded.empty() ? to_json(o, original, dataset) : o.recorded;

  if (o.resume && o.recorded.empty()) check_same_options(o, checkpoint, recorded);

  const std::unique_ptr<Backend> backend = make_device(device.name, o.threads, o.compute == "tf32", o.kernels);
  ModelConfig config = original.config;
  config.graph = to_graph(original);
  config.seed = o.seed;
  Model model = model_from_graph(config);
  if (checkpoint != nullptr) check_same_network(o.out, *checkpoint, to_graph(model));
  model.warnings = original.warnings;
  for (const std::string& warning : model.warnings) o.on_warning(warning);
  Network network(std::move(model), *backend, network_options(o, dataset));
  if (o.verbose) {
    std::printf("device: %s, %s%s\n%s", device.name.c_str(), backend->description().c_str(),
                device.why.empty() ? "" : concat(" (auto: ", device.why, ")").c_str(), memory_table(network).c_str());
  }
  if (checkpoint != nullptr) {
    load_checkpoint(network, *checkpoint);
  } else {
    network.initialize(o.initialization, o.seed);
    if (!o.init.empty()) load_initial(network, dataset, o);
  }

  const std::size_t dataset_bytes = dataset.train.all_pixels().size() + evaluated.all_pixels().size();
  const std::size_t free_bytes = backend->available_memory();
  const bool too_large = free_bytes > 0 && dataset_bytes > free_bytes / 10 * 9;
  const bool cached = dataset.train.cached.file != nullptr;
  if (too_large && !o.stream && !cached && o.verbose) {
    std::printf("the images (%zu MiB) do not fit in the free device memory (%zu MiB): they are streamed\n",
                dataset_bytes >> 20, free_bytes >> 20);
  }
  const bool stream = o.stream || too_large || cached;
  PartSource train_source(*backend, dataset.train, stream, o.num_workers);
  PartSource evaluation_source(*backend, evaluated, stream, o.num_workers);
  if (!stream && releasable != nullptr) releasable->train.pixels = {};  // the report needs those of the other parts
  std::optional<ClassBalance> balance;
  if (o.balance_classes) balance.emplace(dataset.train.labels, classes);
  const std::int64_t all = balance ? balance->size() : dataset.train.size();
  const std::int64_t samples = Trainer::samples_per_epoch(network, all, o.batch_size);
  if (samples < all) {
    o.on_warning(
        concat(all, " images in batches of ", o.batch_size,
               " leave one over, and BatchNorm cannot train on one image: each epoch skips one image, chosen at "
               "random"));
  }
  if (balance && o.verbose) {
    std::printf("each class appears %lld times in an epoch of %lld images\n", static_cast<long long>(all / classes),
                static_cast<long long>(all));
  }
  const std::int64_t samples_per_step = o.batch_size * o.accumulate;
  Trainer trainer(network, *train_source,
                  {.epochs = o.epochs,
                   .batch_size = o.batch_size,
                   .accumulate = o.accumulate,
                   .seed = o.seed,
                   .shuffle = o.shuffle,
                   .balance = balance ? &*balance : nullptr,
                   .schedule = o.schedule.in_steps((samples + samples_per_step - 1) / samples_per_step, o.optimizer),
                   .steps_per_line = o.log_every,
                   .check_every_step = o.check_nan});
  if (checkpoint != nullptr) trainer.set_state(checkpoint->state);
  const TrainerState at = trainer.state();
  const std::string run = o.out.string();
  require(!o.resume || at.epoch <= o.epochs || (at.epoch == o.epochs + 1 && at.position == 0), run, ": ",
          Setting{"epochs", o.epochs}, ": the run is already in epoch ", at.epoch,
          "; resume it with at least that many");
  const auto nothing_to_do = [&](const std::string& why, bool early_stopped) {
    FitResult result{.early_stopped = early_stopped, .text = concat(run, why, "; nothing to do")};
    if (o.verbose) std::printf("%s\n", result.text.c_str());
    const Metrics metrics = read_metrics(o.out / "metrics.jsonl");
    if (const EpochMetrics* best = metrics.best_epoch()) result.best = *best;
    if (const TestMetrics* test = metrics.last_test()) result.test = *test;
    return result;
  };
  const bool to_test = part == Part::validation && dataset.test.size() > 0;
  const bool tested = !to_test || (o.resume && read_metrics(o.out / "metrics.jsonl").last_test() != nullptr);
  if (o.resume && trainer.finished() && tested) {
    return nothing_to_do(concat(" has completed all ", o.epochs, " epochs"), false);
  }
  if (o.resume && !trainer.finished() && o.verbose) {
    std::printf("resuming after step %lld of %lld\n", static_cast<long long>(trainer.step()),
                static_cast<long long>(trainer.total_steps()));
  }
  TrainSession session(o, network, trainer, dataset, device.name, recorded);
  if (o.resume && session.finished()) {
    return nothing_to_do(concat(" stopped early after ", o.patience, " epochs without a better one"), true);
  }
  if (o.profile) {
    session.profile_steps(*train_source);
    return {.text = concat(run, " holds profile.json")};
  }
  return session.run(*evaluation_source);
}

}  // namespace

void print_warning(const std::string& text) { std::fprintf(stderr, "warning: %s\n", text.c_str()); }

FitResult fit(const Model& model, const Dataset& dataset, const FitOptions& options) {
  return fit(model, dataset, options, nullptr);
}
FitResult fit(const Model& model, Dataset&& dataset, const FitOptions& options) {
  return fit(model, dataset, options, &dataset);
}

}  // namespace minception
