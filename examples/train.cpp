/// Trains a model and leaves a run folder: config.json, metrics.jsonl, model.safetensors.

#include <minception/core/error.h>
#include <minception/core/safetensors.h>
#include <minception/data/registry.h>
#include <minception/examples/program.h>
#include <minception/models/registry.h>
#include <minception/models/summary.h>
#include <minception/training/progress.h>
#include <minception/training/run_folder.h>
#include <minception/training/trainer.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>

using namespace minception;

namespace {

struct Options {
  std::string model = "googlenet";
  std::string data = "fashion-mnist";
  std::string data_dir;
  std::string image_size = "96";
  std::int64_t epochs = 10;
  std::int64_t batch_size = 128;
  double learning_rate = 0.1;
  double momentum = 0.0;
  std::optional<double> lowest_momentum;
  bool nesterov = false;
  double weight_decay = 0.0;
  double label_smoothing = 0.0;
  std::string schedule = "constant";
  double warmup = 0.3;
  std::string initialization = "xavier-uniform";
  std::string init_file;
  std::string device = "cpu";
  int threads = 0;
  std::int64_t seed = 1;
  std::int64_t limit_train = 0;
  std::int64_t limit_test = 0;
  bool no_shuffle = false;
  std::string out;
  bool overwrite = false;
};

void declare(CLI::App& app, Options& o) {
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--model", o.model, "googlenet or googlenet_bn");
  app.add_option("--data", o.data, "data set: fashion-mnist");
  app.add_option("--data-dir", o.data_dir, "folder of the data set's files (default: where its package puts them)");
  app.add_option("--image-size", o.image_size, "images are resized to this: 96, or 96x64 (height x width)");
  app.add_option("--epochs", o.epochs, "passes over the training images");
  app.add_option("--batch-size", o.batch_size, "images per step");
  app.add_option("--lr", o.learning_rate, "learning rate; the peak with --schedule one-cycle");
  app.add_option("--momentum", o.momentum, "momentum; the highest with --schedule one-cycle");
  app.add_option("--lowest-momentum", o.lowest_momentum,
                 "one-cycle: momentum at the peak of the learning rate (default: no cycle)");
  app.add_flag("--nesterov", o.nesterov, "Nesterov momentum");
  app.add_option("--weight-decay", o.weight_decay, "added to the gradient, times the weight");
  app.add_option("--label-smoothing", o.label_smoothing, "part of the target spread over all classes");
  app.add_option("--schedule", o.schedule, "constant or one-cycle");
  app.add_option("--warmup", o.warmup, "one-cycle: part of all steps in which the learning rate rises");
  app.add_option("--initialization", o.initialization, "xavier-uniform or kaiming-normal");
  app.add_option("--init", o.init_file, "start from the weights in this safetensors file");
  app.add_option("--device", o.device, "cpu, cuda (in builds that have it), or reference (plain loops: slow)");
  app.add_option("--threads", o.threads, "threads (default: all cores)")->default_str("0");
  app.add_option("--seed", o.seed, "of initialisation and order");
  app.add_option("--limit-train", o.limit_train, "use the first N training images (0: all)");
  app.add_option("--limit-test", o.limit_test, "use the first N test images (0: all)");
  app.add_flag("--no-shuffle", o.no_shuffle, "take the images in the order of the file");
  app.add_option("--out", o.out, "folder of the run, for instance runs/first")->required();
  app.add_flag("--overwrite", o.overwrite, "replace a run that is in the folder");
}

void check(const Options& o) {
  require(o.epochs >= 1 && o.epochs <= 1'000'000, "--epochs ", o.epochs, ": must be 1 to 1,000,000");
  require(o.batch_size >= 1 && o.batch_size <= 1'000'000, "--batch-size ", o.batch_size, ": must be 1 to 1,000,000");
  require(std::isfinite(static_cast<float>(o.learning_rate)) && o.learning_rate >= 0.0, "--lr ", o.learning_rate,
          ": must be a finite number, 0 or more");
  require(o.momentum >= 0.0 && o.momentum < 1.0, "--momentum ", o.momentum, ": must be in [0, 1)");
  require(!o.lowest_momentum || (*o.lowest_momentum >= 0.0 && *o.lowest_momentum <= o.momentum), "--lowest-momentum ",
          o.lowest_momentum.value_or(0.0), ": must be between 0 and --momentum, ", o.momentum);
  require(!o.lowest_momentum || o.schedule == "one-cycle", "--lowest-momentum needs --schedule one-cycle");
  require(!o.out.empty(), "--out needs the name of a folder");
  require(!o.nesterov || o.momentum > 0.0, "--nesterov needs a --momentum above 0");
  require(std::isfinite(static_cast<float>(o.weight_decay)) && o.weight_decay >= 0.0, "--weight-decay ", o.weight_decay,
          ": must be a finite number, 0 or more");
  require(o.label_smoothing >= 0.0 && o.label_smoothing < 1.0, "--label-smoothing ", o.label_smoothing,
          ": must be in [0, 1)");
  require(o.warmup > 0.0 && o.warmup < 1.0, "--warmup ", o.warmup, ": must be between 0 and 1");
  require(o.threads >= 0, "--threads ", o.threads, ": must be 0 or more");
  require(o.threads == 0 || o.device == "cpu", "--threads is for --device cpu");
  // The parser turns numbers that are too large into the largest it has.
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  require(o.seed >= 0 && o.seed < kLargest, "--seed ", o.seed, ": must be 0 or more, and less than ", kLargest);
  require(o.limit_train >= 0, "--limit-train ", o.limit_train, ": must be 0 or more");
  require(o.limit_test >= 0, "--limit-test ", o.limit_test, ": must be 0 or more");
}

void limit(ImageDataset& dataset, std::int64_t count, const char* option) {
  if (count == 0) return;
  require(count <= dataset.size(), option, " ", count, ": there are only ", dataset.size(), " images");
  dataset.labels.resize(static_cast<std::size_t>(count));
  dataset.pixels.resize(static_cast<std::size_t>(count * dataset.image.elements()));
}

std::string config_json(const Options& o, const Network& network, const Dataset& dataset) {
  const Shape& input = network.model().config.input;
  const nlohmann::ordered_json config = {
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
      {"learning_rate", o.learning_rate},
      {"schedule", o.schedule},
      {"warmup", o.warmup},
      {"momentum", o.momentum},
      {"lowest_momentum", o.lowest_momentum.value_or(o.momentum)},
      {"nesterov", o.nesterov},
      {"weight_decay", o.weight_decay},
      {"label_smoothing", o.label_smoothing},
      {"initialization", o.init_file.empty() ? o.initialization : "file"},
      {"init_file", o.init_file},
      {"seed", o.seed},
      {"shuffle", !o.no_shuffle},
      {"device", o.device},
      {"backend", network.backend().description()},
      {"compute", name_of(network.options().compute)},
      {"processor", processor_name()},
      {"compiler", compiler_name()},
      {"peak_bytes", network.memory().total},
  };
  return config.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void train(const Options& o) {
  check(o);
  const Shape size = parse_image_size(o.image_size);
  const Schedule schedule = {.kind = parse_schedule(o.schedule),
                             .learning_rate = o.learning_rate,
                             .momentum = o.momentum,
                             .lowest_momentum = o.lowest_momentum.value_or(o.momentum),
                             .warmup_fraction = o.warmup};
  const Initialization initialization = parse_initialization(o.initialization);
  RunFolder::check(o.out, o.overwrite);

  Dataset dataset = load_dataset(o.data, o.data_dir);
  limit(dataset.train, o.limit_train, "--limit-train");
  limit(dataset.test, o.limit_test, "--limit-test");
  const Shape& image = dataset.train.image;
  std::printf("%s: %lld training and %lld test images, %lldx%lld\n", dataset.name.c_str(),
              static_cast<long long>(dataset.train.size()), static_cast<long long>(dataset.test.size()),
              static_cast<long long>(image[1]), static_cast<long long>(image[2]));

  const std::unique_ptr<Backend> backend = o.device == "cpu" ? make_cpu_backend(o.threads) : make_backend(o.device);
  Model model = make_model({.name = o.model,
                            .input = {image[0], size[0], size[1]},
                            .classes = static_cast<std::int64_t>(dataset.train.class_names.size()),
                            .seed = static_cast<std::uint64_t>(o.seed)});
  for (const std::string& warning : model.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  Network network(std::move(model), *backend,
                  {.max_batch = o.batch_size,
                   .label_smoothing = o.label_smoothing,
                   .sgd = {.momentum = o.momentum > 0.0, .nesterov = o.nesterov, .weight_decay = o.weight_decay},
                   .dataset_image = image});
  std::printf("device: %s\n%s", backend->description().c_str(), memory_table(network).c_str());
  if (o.init_file.empty()) {
    network.initialize(initialization, static_cast<std::uint64_t>(o.seed));
  } else {
    const Safetensors content = read_safetensors(o.init_file);
    try {
      network.load_state(content.tensors);
    } catch (const Error& error) {
      fail(o.init_file, ": ", error.what());
    }
  }

  const ResidentDataset train_set = make_resident(*backend, image, dataset.train.pixels, dataset.train.labels);
  const ResidentDataset test_set = make_resident(*backend, image, dataset.test.pixels, dataset.test.labels);
  // The device has its own copy now.
  dataset.train.pixels = {};
  dataset.test.pixels = {};
  Trainer trainer(network, train_set, test_set,
                  {.epochs = o.epochs,
                   .batch_size = o.batch_size,
                   .seed = static_cast<std::uint64_t>(o.seed),
                   .shuffle = !o.no_shuffle,
                   .schedule = schedule});
  RunFolder run(o.out, config_json(o, network, dataset), o.overwrite);
  const auto metadata = weights_metadata(network, dataset.train.class_names);

  for (std::int64_t epoch = 1; epoch <= o.epochs; ++epoch) {
    std::optional<Progress> bar;
    bool testing = false;
    const EpochMetrics metrics = trainer.run_epoch(epoch, [&](const TrainerProgress& progress) {
      if (!bar || progress.testing != testing) {
        testing = progress.testing;
        bar.emplace(testing ? "test       " : concat("epoch ", epoch, "/", o.epochs), progress.total, "images");
      }
      char note[64];
      std::snprintf(note, sizeof note, "loss %.4f  accuracy %.4f", progress.loss, progress.accuracy);
      bar->update(progress.done, note);
    });
    bar.reset();
    std::printf("epoch %lld/%lld  train loss %.4f accuracy %.4f  test loss %.4f accuracy %.4f  %.0f images/s  %s\n",
                static_cast<long long>(epoch), static_cast<long long>(o.epochs), metrics.train_loss,
                metrics.train_accuracy, metrics.test_loss, metrics.test_accuracy, metrics.examples_per_second,
                clock_time(metrics.seconds).c_str());
    std::fflush(stdout);
    run.write_weights(network, metadata);
    run.append_metrics(metrics);
  }
  std::printf("%s holds config.json, metrics.jsonl and model.safetensors\n", run.path().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a model and leaves a run folder.", "train");
  declare(app, options);
  return run_program(app, argc, argv, [&] { train(options); });
}
