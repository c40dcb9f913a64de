/// Evaluates a trained model on a data set: loss, accuracies and confusion matrix.

#include "core/error.h"
#include "data/registry.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "tools/program.h"
#include "training/evaluation.h"
#include "training/progress.h"
#include "training/run_folder.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

using namespace minception;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string weights;
  DescribedWeights described;
  std::string data;  ///< empty: the data set of the run
  std::string data_dir, labels;
  double test_fraction = 0.0;
  std::int64_t split_seed = 1;
  Selection selection;
  std::string split;  ///< empty: test, else validation, else all images
  std::int64_t batch_size = 256;
  DeviceOptions device;
  std::int64_t limit = 0;
  std::int64_t mistakes = 10;
  bool json = false;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights,
                  "model.safetensors, model_best.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  o.described.declare(command_line);
  command_line.add_option("--data", o.data,
                          "data set: fashion-mnist, mnist, cifar10, or folder:PATH with one sub-folder of images per "
                          "class (default: the data and split of the run that made the weights, else fashion-mnist)");
  command_line.add_option("--data-dir", o.data_dir,
                          "folder or archive of the data set (default: where its package installs it): docs/data.md");
  command_line.add_option("--labels", o.labels, "folder: same as for train").default_text("");
  command_line.add_option("--test-fraction", o.test_fraction, "folder: same as for train");
  command_line.add_option("--split-seed", o.split_seed, "folder: same as for train");
  command_line
      .add_option("--split", o.split,
                  "test, validation or train (default: test and a summary of validation; all images if a folder has no "
                  "such parts)")
      .default_text("");
  command_line.add_option("--batch-size", o.batch_size, "images per batch");
  o.device.declare(command_line);
  command_line.add_option("--limit", o.limit, "use the first N images (0: all)");
  command_line.add_option("--mistakes", o.mistakes, "folder: number of most confident mistakes to list");
  command_line.add_flag("--json", o.json, "print one JSON document instead of text");
}

/// Evaluation of one part.
struct Result {
  std::string split;
  Evaluation evaluation;
  double images_per_second = 0.0;
};

nlohmann::ordered_json to_json(const Options& o, const std::string& model, const Result& result,
                               const std::optional<Result>& validation, const std::vector<std::string>& class_names) {
  const Evaluation& evaluation = result.evaluation;
  nlohmann::ordered_json classes = nlohmann::ordered_json::array(), confusion = nlohmann::ordered_json::array();
  const std::size_t count = class_names.size();
  const std::vector<ClassScores> scores = class_scores(evaluation);
  for (std::size_t c = 0; c < count; ++c) {
    const auto row = std::span(evaluation.confusion).subspan(c * count, count);
    // nlohmann::json writes NaN as null.
    classes.push_back({{"name", class_names[c]},
                       {"samples", scores[c].samples},
                       {"predicted", scores[c].predicted},
                       {"recall", scores[c].recall},
                       {"precision", scores[c].precision}});
    confusion.push_back(std::vector<std::int64_t>(row.begin(), row.end()));
  }
  const auto summary = [](const Evaluation& e) {
    return nlohmann::ordered_json{{"samples", e.samples}, {"loss", e.loss}, {"top1", e.top1}, {"top5", e.top5}};
  };
  nlohmann::ordered_json json = {{"weights", o.weights}, {"model", model}, {"data", o.data}, {"split", result.split}};
  if (validation) json["validation"] = summary(validation->evaluation);
  json.update(summary(evaluation));
  json["classes"] = std::move(classes);
  json["confusion"] = std::move(confusion);
  json["images_per_second"] = result.images_per_second;
  return json;
}

bool same_data(const Options& o, const std::string& data, const std::string& data_dir) {
  if (o.data == data) return o.data_dir.empty() || o.data_dir == data_dir;
  if (!is_image_folder(o.data) || !is_image_folder(data)) return false;
  std::error_code error;
  const std::vector<fs::path> ours = image_folder_paths(o.data, o.data_dir),
                              theirs = image_folder_paths(data, data_dir);
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                    [&](const fs::path& a, const fs::path& b) { return fs::equivalent(a, b, error); });
}

/// Uses the data set and parts of the run, from config.json next to the weights or one folder up, unless --data names
/// another data set. Without config.json the default is Fashion-MNIST.
void take_data_of_run(Options& o, bool fraction_given) {
  const fs::path folder = fs::path(o.weights).parent_path();
  std::error_code error;
  for (const fs::path& run : {folder, folder / ".."}) {  // weights, checkpoints
    const fs::path path = run / "config.json";
    if (!fs::exists(path, error)) continue;
    const auto config = nlohmann::json::parse(read_text(path), nullptr, false);
    const bool named = !o.data.empty();
    try {
      const std::string data = config.at("data").get<std::string>(), data_dir = config.value("data_dir", "");
      if (named && !same_data(o, data, data_dir)) return;
      const nlohmann::json& options = config.at("options");
      const Selection selection = {.hold_out = options.at("hold-out").get<std::int64_t>(),
                                   .validation_fraction = options.value("validation-fraction", 0.0),
                                   .train = options.at("limit-train").get<std::int64_t>(),
                                   .test = options.at("limit-test").get<std::int64_t>()};
      const auto test_fraction = options.value("test-fraction", 0.0);
      o.split_seed = options.value("split-seed", std::int64_t{1});
      if (!named) o.data = data;
      if (o.data_dir.empty()) o.data_dir = data_dir;
      if (!fraction_given) o.test_fraction = test_fraction;
      if (o.labels.empty()) o.labels = options.value("labels", "");
      o.selection = selection;
    } catch (const nlohmann::json::exception&) {
      require(named, path.string(), ": has no record of the data set of the run; name one with --data");
    }
    return;
  }
  if (o.data.empty()) o.data = "fashion-mnist";
}

/// Loads the part of --split; by default test and validation, or all images if both are empty.
Dataset load(const Options& o, const WeightsFile& weights) {
  const auto load_parts = [&](bool train, bool validation, bool test) {
    Selection selection = o.selection;
    if (!train) selection.train = 0;
    if (!test && !validation) selection.test = 0;
    if (o.limit > 0) {
      if (train) selection.train = o.limit;
      if (test || validation) selection.test = o.limit;
    }
    // Images of a folder are loaded with the options that the model was trained with.
    return load_dataset(o.data, o.data_dir,
                        {.size = {weights.image[1], weights.image[2]},
                         .image = weights.image_options,
                         .channels = weights.image[0],
                         .test_fraction = o.test_fraction,
                         .split_seed = static_cast<std::uint64_t>(o.split_seed),
                         .labels = o.labels,
                         .train = train,
                         .validation = validation,
                         .test = test,
                         .progress = loading_bar()},
                        selection);
  };
  if (!o.split.empty()) return load_parts(o.split == "train", o.split == "validation", o.split == "test");
  Dataset dataset = load_parts(false, true, true);
  if (dataset.test.size() == 0 && dataset.validation.size() == 0) dataset = load_parts(true, false, false);
  return dataset;
}

Result evaluate_part(const Options& o, Network& network, const std::string& split, const ImageDataset& images) {
  const auto start = std::chrono::steady_clock::now();
  Progress bar(split, images.size(), "images");
  Evaluation evaluation =
      evaluate(network, o.weights, images, {.most_mistakes = static_cast<std::size_t>(o.mistakes)},
               [&](const EvaluationProgress& progress) {
                 char note[64];
                 std::snprintf(note, sizeof note, "loss %.4f  accuracy %.4f", progress.loss, progress.top1);
                 bar.update(progress.done, note);
                 return true;
               });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto samples = static_cast<double>(evaluation.samples);
  return {split, std::move(evaluation), samples / seconds};
}

/// Lists files that were classified wrongly, most confident first.
void print_mistakes(const Evaluation& evaluation, const ImageDataset& images,
                    const std::vector<std::string>& class_names, std::size_t most, bool trained_on) {
  if (images.files.empty() || most == 0) return;
  if (evaluation.mistakes.empty()) {
    if (evaluation.samples > 0 && trained_on) {
      std::printf("no mistakes on images that were trained on: wrong labels may have been learned, too\n\n");
    }
    return;
  }
  const std::size_t count = std::min(most, evaluation.mistakes.size());
  std::printf("most confident mistakes (may be mislabelled images):\n");
  for (const Mistake& mistake : std::span(evaluation.mistakes).first(count)) {
    std::printf("  %5.1f %% %s instead of %s: %s\n", 100.0 * mistake.probability,
                printable(class_names[static_cast<std::size_t>(mistake.predicted)]).c_str(),
                printable(class_names[static_cast<std::size_t>(mistake.label)]).c_str(),
                printable(images.files[static_cast<std::size_t>(mistake.index)]).c_str());
  }
  std::printf("\n");
}

void run(Options o, bool fraction_given) {
  take_data_of_run(o, fraction_given);
  require(o.split.empty() || o.split == "test" || o.split == "validation" || o.split == "train", "--split '", o.split,
          "': use test, validation or train");
  require(o.batch_size >= 1 && o.batch_size <= 1'000'000, "--batch-size ", o.batch_size, ": must be 1 to 1,000,000");
  require(o.test_fraction >= 0.0 && o.test_fraction < 1.0, "--test-fraction ", o.test_fraction,
          ": must be 0 or more and below 1");
  require(o.split_seed >= 0, "--split-seed ", o.split_seed, ": must be 0 or more");
  require(is_image_folder(o.data) || o.test_fraction == 0.0, "--test-fraction is for --data folder:PATH, not for ",
          o.data);
  require(o.limit >= 0, "--limit ", o.limit, ": must be 0 or more");
  require(o.mistakes >= 0 && o.mistakes <= 10'000, "--mistakes ", o.mistakes, ": must be 0 to 10,000");
  const std::unique_ptr<Backend> backend = o.device.make();
  WeightsFile weights = read_weights_file(o.weights, o.described.description());
  const Dataset dataset = load(o, weights);
  const std::string split = !o.split.empty()                ? o.split
                            : dataset.test.size() > 0       ? "test"
                            : dataset.validation.size() > 0 ? "validation"
                                                            : "all";
  const ImageDataset& images = split == "test"         ? dataset.test
                               : split == "validation" ? dataset.validation
                                                       : dataset.train;
  require(images.size() > 0, "--split ", split, ": ", o.data, " has no ", split, " images");
  // Weights without class names take those of the data set if their number matches.
  if (!o.described.model.empty() && weights.class_names.size() == images.class_names.size()) {
    weights.class_names = images.class_names;
  }
  check_class_names(o.weights, weights.class_names, o.data, images.class_names);

  Network network(make_model(weights.config), *backend,
                  {.max_batch = std::min(o.batch_size, std::max(images.size(), dataset.validation.size())),
                   .training = false,
                   .dataset_image = images.image,
                   .scale = weights.scale,
                   .shift = weights.shift});
  load_weights(network, weights, o.weights);
  std::optional<Result> validation;
  if (split == "test" && dataset.validation.size() > 0) {
    validation = evaluate_part(o, network, "validation", dataset.validation);
  }
  const Result result = evaluate_part(o, network, split, images);

  if (o.json) {
    const auto json = to_json(o, weights.config.name, result, validation, weights.class_names);
    std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%s: %s on %s images of %s\n", o.weights.c_str(), weights.config.name.c_str(),
              split == "all" ? "all" : ("the " + split).c_str(), o.data.c_str());
  if (validation) {
    const Evaluation& e = validation->evaluation;
    std::printf("validation: %lld images, loss %.4f  accuracy %.2f %%\n", static_cast<long long>(e.samples), e.loss,
                100.0 * e.top1);
  }
  std::printf("%s\n", evaluation_table(result.evaluation, weights.class_names).c_str());
  print_mistakes(result.evaluation, images, weights.class_names, static_cast<std::size_t>(o.mistakes),
                 split == "train");
  std::printf("%lld images, %.0f images/s on %s\n", static_cast<long long>(result.evaluation.samples),
              result.images_per_second, backend->description().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Tests a trained model on a data set.", "evaluate");
  declare(command_line, options);
  return command_line.run(argc, argv, [&] { run(options, command_line.count("--test-fraction") > 0); });
}
