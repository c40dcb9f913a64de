#include "studies/study_training.h"
#include "core/error.h"
#include "data/registry.h"
#include "models/registry.h"
#include "tools/program.h"
#include "training/evaluation.h"
#include "training/progress.h"
#include "training/report/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kWarmupSteps = 3;

void check_not_stopped() { require(stop_signal() == 0, "stopped"); }

TrainerOptions trainer_options(const StudyOptions& o, std::int64_t train_size, std::int64_t steps) {
  const std::int64_t per_epoch = steps_per_epoch(o, train_size);
  return {.epochs = (steps + per_epoch - 1) / per_epoch,
          .steps = steps,
          .batch_size = o.batch_size,
          .seed = static_cast<std::uint64_t>(o.seed),
          .schedule = {.kind = parse_schedule(o.schedule), .base_momentum = o.momentum}};
}

/// Runs f and prefixes its errors with the name of the training.
template <class F>
auto with_name(const std::string& name, F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    if (stop_signal() != 0) throw;
    fail(name, ": ", error.what());
  }
}

}  // namespace

void declare(CommandLine& command_line, StudyOptions& o) {
  command_line.add_option("--data", o.data, "data set: fashion-mnist, mnist or cifar10");
  command_line.add_option("--data-dir", o.data_dir,
                          "folder or archive of the data set (default: where its package installs it)");
  command_line.add_option("--image-size", o.image_size, "network input size: 32, or 32x48 (height x width)");
  command_line.add_option("--batch-size", o.batch_size, "images per step").range(1, 1'000'000);
  command_line.add_option("--schedule", o.schedule, "learning rate schedule: one-cycle, cosine or constant")
      .one_of({"one-cycle", "cosine", "constant"});
  command_line.add_option("--momentum", o.momentum, "momentum of SGD").range(0.0, 0.999);
  command_line.add_option("--weight-decay", o.weight_decay, "L2 penalty on weights").range(0.0, 1.0);
  command_line.add_option("--initialization", o.initialization,
                          "xavier-uniform, kaiming-normal, kaiming-normal-fan-out or resnet");
  command_line.add_option("--seed", o.seed, "seed of initialization, order and dropout")
      .range(std::int64_t{0}, std::int64_t{1} << 53);
  command_line
      .add_option("--hold-out", o.hold_out,
                  "to choose settings: hold out N training images and test on them instead of the test images")
      .range(std::int64_t{0}, std::int64_t{1'000'000'000});
  command_line.add_option("--limit-train", o.limit_train, "use the first N training images (0: all)")
      .range(std::int64_t{0}, std::int64_t{1'000'000'000});
  command_line.add_option("--limit-test", o.limit_test, "use the first N test images (0: all)")
      .range(std::int64_t{0}, std::int64_t{1'000'000'000});
  command_line.add_option("--device", o.device, "cpu, cuda or reference");
  command_line.add_option("--threads", o.threads, "cpu: threads (0: all cores)").default_text("0");
  command_line.add_flag("--json", o.json, "print JSON instead of tables");
  command_line.add_option("--out", o.out, "folder for the results as JSON, the input of studies/draw.py")
      .default_text("");
  command_line.add_flag("--overwrite", o.overwrite, "replace existing files");
}

std::string words_of(const StudyOptions& o) {
  std::string words = concat(" --data ", o.data);
  if (!o.data_dir.empty()) words += concat(" --data-dir ", o.data_dir);
  words += concat(" --image-size ", o.image_size, " --batch-size ", o.batch_size, " --schedule ", o.schedule,
                  " --momentum ", o.momentum, " --weight-decay ", o.weight_decay, " --initialization ",
                  o.initialization, " --seed ", o.seed);
  for (const auto& [option, value] : {std::pair{"--hold-out", o.hold_out}, std::pair{"--limit-train", o.limit_train},
                                      std::pair{"--limit-test", o.limit_test}}) {
    if (value > 0) words += concat(" ", option, " ", value);
  }
  return words + concat(" --device ", o.device, " --threads ", o.threads);
}

std::string recipe_text(const StudyOptions& o) {
  const std::string rate = o.schedule == "one-cycle" ? "a learning rate that rises to its peak in the first 30 % of "
                                                       "the steps and falls to zero in the rest (one-cycle)"
                           : o.schedule == "cosine"  ? "a learning rate that falls to zero along half a cosine"
                                                     : "a constant learning rate";
  return concat("SGD with momentum ", o.momentum, ", weight decay ", o.weight_decay, ", batches of ", o.batch_size,
                ", initialization ", o.initialization, ", seed ", o.seed, ", no augmentation, ", rate);
}

Json to_json(const StudyOptions& o) {
  return {{"data", o.data},
          {"image_size", o.image_size},
          {"batch_size", o.batch_size},
          {"schedule", o.schedule},
          {"momentum", o.momentum},
          {"weight_decay", o.weight_decay},
          {"initialization", o.initialization},
          {"seed", o.seed},
          {"hold_out", o.hold_out},
          {"limit_train", o.limit_train},
          {"limit_test", o.limit_test}};
}

int exit_code(int code) { return code == kFailed && stop_signal() != 0 ? 128 + stop_signal() : code; }

void fail_unfinished(const std::string& problem, std::size_t done, const std::string& parts, const ResultFolder* folder,
                     const std::string& go_on) {
  if (done == 0) fail(problem, "; nothing was written");
  fail(problem, "; ",
       folder == nullptr ? "the finished results were printed ("
                         : folder->path().string() + " has the finished results (",
       parts, ": ", done, "); resume with: ", go_on, folder == nullptr ? "" : " and another --out");
}

Dataset load_dataset(const StudyOptions& o) {
  const Shape size = parse_image_size(o.image_size);
  Dataset dataset = load_dataset(o.data, o.data_dir, {.size = {size[0], size[1]}, .test = o.hold_out == 0},
                                 {.hold_out = o.hold_out, .train = o.limit_train, .test = o.limit_test});
  if (o.hold_out > 0) dataset.test = std::move(dataset.validation);
  return dataset;
}

StudyData::StudyData(Backend& backend, const ImageDataset& train_images, const ImageDataset& test_images)
    : image(train_images.image),
      train_size(train_images.size()),
      test_size(test_images.size()),
      train(make_resident(backend, image, train_images.pixels, train_images.labels)),
      test(make_resident(backend, image, test_images.pixels, test_images.labels)),
      test_labels(test_images.labels) {}

ModelConfig model_config(const StudyOptions& o, const std::string& model, const Dataset& dataset) {
  const Shape size = parse_image_size(o.image_size);
  return {.name = model,
          .input = {dataset.train.image[0], size[0], size[1]},
          .classes = static_cast<std::int64_t>(dataset.train.class_names.size()),
          .seed = static_cast<std::uint64_t>(o.seed)};
}

NetworkOptions network_options(const StudyOptions& o, const Shape& image, double learning_rate,
                               std::vector<std::string> freeze) {
  return {.max_batch = o.batch_size,
          .optimizer = Sgd{.lr = learning_rate, .momentum = o.momentum, .weight_decay = o.weight_decay},
          .freeze = std::move(freeze),
          .dataset_image = image};
}

std::int64_t steps_per_epoch(const StudyOptions& o, std::int64_t train_size) {
  return (train_size + o.batch_size - 1) / o.batch_size;
}

StudyTraining::StudyTraining(std::string name, const StudyOptions& o, Network& network, const StudyData& data,
                             std::int64_t steps)
    : name_(std::move(name)),
      train_size_(data.train_size),
      feed_(data.train),
      trainer_(network, feed_, trainer_options(o, train_size_, steps)) {}

void StudyTraining::train_to(std::int64_t step, Progress* progress) {
  TrainerHooks hooks;
  hooks.after_step = [&] {
    check_not_stopped();
    return trainer_.step() < step;
  };
  hooks.progress = [&](const TrainerProgress& at) {
    char note[64];
    std::snprintf(note, sizeof note, "loss %.4f  accuracy %.4f", at.loss, at.accuracy);
    if (progress != nullptr) progress->update((at.epoch - 1) * train_size_ + at.done, note);
  };
  hooks.notice = [&](const Notice& notice) {
    if (progress != nullptr) progress->clear();
    std::fprintf(stderr, "warning: %s: %s\n", name_.c_str(), notice.text.c_str());
  };
  with_name(name_, [&] {
    while (trainer_.step() < step) {
      if (trainer_.epoch_trained()) seconds_before_ += trainer_.finish_epoch().seconds;
      trainer_.train_epoch(hooks);
      state_ = trainer_.state();
      trainer_.set_state(state_);  // keeps the metrics when an evaluation overwrites them on the device
    }
  });
}

double measure_step_seconds(const StudyOptions& o, const ModelConfig& config, Backend& backend, const StudyData& data,
                            std::int64_t steps) {
  Network network(make_model(config), backend, network_options(o, data.image, 0.0));
  network.initialize(parse_initialization(o.initialization), static_cast<std::uint64_t>(o.seed));
  StudyTraining training(config.name, o, network, data, kWarmupSteps + steps);
  training.train_to(kWarmupSteps);
  const double before = training.seconds();
  training.train_to(kWarmupSteps + steps);
  return (training.seconds() - before) / static_cast<double>(steps);
}

Json to_json(const std::vector<TestPoint>& points) {
  Json json = Json::array();
  for (const TestPoint& at : points) {
    json.push_back({{"step", at.step},
                    {"images", at.images},
                    {"epochs", at.epochs},
                    {"seconds", at.seconds},
                    {"loss", at.loss},
                    {"accuracy", at.accuracy}});
  }
  return json;
}

std::vector<std::int64_t> evenly_spaced(std::int64_t steps, std::int64_t count) {
  count = std::min(steps, count);
  std::vector<std::int64_t> at;
  for (std::int64_t n = 1; n <= count; ++n) at.push_back(steps * n / count);
  return at;
}

std::vector<TestPoint> train_and_test(const std::string& name, const StudyOptions& o, Network& network,
                                      const StudyData& data, const std::vector<std::int64_t>& tests) {
  const std::int64_t steps = tests.back(), per_epoch = steps_per_epoch(o, data.train_size);
  const std::int64_t images =
      steps / per_epoch * data.train_size + std::min(steps % per_epoch * o.batch_size, data.train_size);
  Progress progress(name, images, "images");
  StudyTraining training(name, o, network, data, steps);
  ResidentBatchSource feed(data.test);
  std::vector<TestPoint> points;
  for (const std::int64_t step : tests) {
    training.train_to(step, &progress);
    const Evaluation found = evaluate(network, feed, data.test_labels, {}, [&](const EvaluationProgress& at) {
      check_not_stopped();
      char note[64];
      std::snprintf(note, sizeof note, "test: loss %.4f  accuracy %.4f", at.loss, at.top1);
      progress.update(training.images(), note);
      return true;
    });
    points.push_back({.step = step,
                      .images = training.images(),
                      .epochs = static_cast<double>(training.images()) / static_cast<double>(data.train_size),
                      .seconds = training.seconds(),
                      .loss = found.loss,
                      .accuracy = found.top1});
  }
  return points;
}

std::string accuracy_text(double accuracy) { return report::percent(accuracy); }

double standard_error(double accuracy, std::int64_t images) {
  return std::sqrt(accuracy * (1.0 - accuracy) / static_cast<double>(images));
}

}  // namespace minception
