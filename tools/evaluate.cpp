/// Evaluates a trained model on a data set: loss, accuracies and confusion matrix.

#include "core/error.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "tools/program.h"
#include "tools/run_data.h"
#include "training/evaluation.h"
#include "training/progress.h"

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
  RunData data;
  std::string split;  ///< empty: test, else validation, else all images
  std::int64_t batch_size = 256;
  DeviceOptions device;
  std::int64_t mistakes = 10;
  bool json = false;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights,
                  "model.safetensors, model_best.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  o.described.declare(command_line);
  o.data.declare(command_line);
  command_line
      .add_option("--split", o.split,
                  "test, validation or train (default: test and a summary of validation; all images if a folder has no "
                  "such parts)")
      .default_text("");
  command_line.add_option("--batch-size", o.batch_size, "images per batch");
  o.device.declare(command_line);
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
  nlohmann::ordered_json json = {
      {"weights", o.weights}, {"model", model}, {"data", o.data.data}, {"split", result.split}};
  if (validation) json["validation"] = summary(validation->evaluation);
  json.update(summary(evaluation));
  json["classes"] = std::move(classes);
  json["confusion"] = std::move(confusion);
  json["images_per_second"] = result.images_per_second;
  return json;
}

/// Loads the part of --split; by default test and validation, or all images if both are empty.
Dataset load(const Options& o, const WeightsFile& weights) {
  if (!o.split.empty()) {
    return o.data.load(weights, o.split == "train", o.split == "validation", o.split == "test");
  }
  Dataset dataset = o.data.load(weights, false, true, true);
  if (dataset.test.size() == 0 && dataset.validation.size() == 0) dataset = o.data.load(weights, true, false, false);
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
  o.data.take_from_run(o.weights, fraction_given);
  require(o.split.empty() || o.split == "test" || o.split == "validation" || o.split == "train", "--split '", o.split,
          "': use test, validation or train");
  require(o.batch_size >= 1 && o.batch_size <= 1'000'000, "--batch-size ", o.batch_size, ": must be 1 to 1,000,000");
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
  require(images.size() > 0, "--split ", split, ": ", o.data.data, " has no ", split, " images");
  // Weights without class names take those of the data set if their number matches.
  if (!o.described.model.empty() && weights.class_names.size() == images.class_names.size()) {
    weights.class_names = images.class_names;
  }
  check_class_names(o.weights, weights.class_names, o.data.data, images.class_names);

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
              split == "all" ? "all" : ("the " + split).c_str(), o.data.data.c_str());
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
