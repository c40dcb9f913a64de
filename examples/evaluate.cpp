/// Tests a trained model on a data set: loss, accuracies and which classes are taken for which.

#include <minception/core/error.h>
#include <minception/data/registry.h>
#include <minception/examples/program.h>
#include <minception/models/finite.h>
#include <minception/models/registry.h>
#include <minception/models/weights_file.h>
#include <minception/training/evaluation.h>
#include <minception/training/progress.h>
#include <minception/training/run_folder.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

using namespace minception;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string weights;
  DescribedWeights described;
  std::string data;  ///< empty: what the run was tested on
  std::string data_dir;
  double test_fraction = 0.0;
  std::int64_t split_seed = 1;
  Selection selection;
  std::string split = "test";
  std::int64_t batch_size = 256;
  DeviceOptions device;
  std::int64_t limit = 0;
  bool json = false;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights,
                  "model.safetensors, model_best.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  o.described.declare(command_line);
  command_line.add_option(
      "--data", o.data,
      "data set: fashion-mnist, mnist, cifar10, or folder:PATH with images in a folder per class (default: the "
      "images that the run of the weights was tested on, else fashion-mnist)");
  command_line.add_option("--data-dir", o.data_dir,
                          "folder or archive of the data set (default: where its package puts it): docs/data.md");
  command_line.add_option("--test-fraction", o.test_fraction, "folder: as for train");
  command_line.add_option("--split-seed", o.split_seed, "folder: as for train");
  command_line.add_option("--split", o.split, "test or train");
  command_line.add_option("--batch-size", o.batch_size, "images at a time");
  o.device.declare(command_line);
  command_line.add_option("--limit", o.limit, "use the first N images (0: all)");
  command_line.add_flag("--json", o.json, "print one JSON document instead of text");
}

nlohmann::ordered_json to_json(const Options& o, const std::string& model, const Evaluation& evaluation,
                               const std::vector<std::string>& class_names, double images_per_second) {
  nlohmann::ordered_json classes = nlohmann::ordered_json::array(), confusion = nlohmann::ordered_json::array();
  const std::size_t count = class_names.size();
  const std::vector<ClassScores> scores = class_scores(evaluation);
  for (std::size_t c = 0; c < count; ++c) {
    const auto row = std::span(evaluation.confusion).subspan(c * count, count);
    // NaN is null in JSON.
    classes.push_back({{"name", class_names[c]},
                       {"samples", scores[c].samples},
                       {"predicted", scores[c].predicted},
                       {"recall", scores[c].recall},
                       {"precision", scores[c].precision}});
    confusion.push_back(std::vector<std::int64_t>(row.begin(), row.end()));
  }
  return {{"weights", o.weights},
          {"model", model},
          {"data", o.data},
          {"split", o.split},
          {"samples", evaluation.samples},
          {"loss", evaluation.loss},
          {"top1", evaluation.top1},
          {"top5", evaluation.top5},
          {"classes", std::move(classes)},
          {"confusion", std::move(confusion)},
          {"images_per_second", images_per_second}};
}

/// Takes over what the run was tested on, of which config.json lies beside the weights; without one, Fashion-MNIST.
void take_data_of_run(Options& o) {
  const fs::path folder = fs::path(o.weights).parent_path();
  std::error_code error;
  for (const fs::path& run : {folder, folder / ".."}) {  // weights, checkpoints
    if (!fs::exists(run / "config.json", error)) continue;
    const auto config = nlohmann::json::parse(read_text(run / "config.json"), nullptr, false);
    const nlohmann::json options = config.is_object() ? config.value("options", nlohmann::json()) : nlohmann::json();
    require(options.is_object(), (run / "config.json").string(), ": says no data set; name one with --data");
    try {
      o.data = config.at("data").get<std::string>();
      if (o.data_dir.empty()) o.data_dir = config.value("data_dir", "");
      o.test_fraction = options.at("test-fraction").get<double>();
      o.split_seed = options.at("split-seed").get<std::int64_t>();
      o.selection = {.hold_out = options.at("hold-out").get<std::int64_t>(),
                     .train = options.at("limit-train").get<std::int64_t>(),
                     .test = options.at("limit-test").get<std::int64_t>()};
    } catch (const nlohmann::json::exception&) {
      fail((run / "config.json").string(), ": does not say what the run was tested on; name a data set with --data");
    }
    return;
  }
  o.data = "fashion-mnist";
}

void run(Options o) {
  if (o.data.empty()) take_data_of_run(o);
  require(o.split == "test" || o.split == "train", "--split '", o.split, "': write test or train");
  require(o.batch_size >= 1 && o.batch_size <= 1'000'000, "--batch-size ", o.batch_size, ": must be 1 to 1,000,000");
  require(o.test_fraction >= 0.0 && o.test_fraction < 1.0, "--test-fraction ", o.test_fraction,
          ": must be 0 or more and below 1");
  require(o.split_seed >= 0, "--split-seed ", o.split_seed, ": must be 0 or more");
  require(is_image_folder(o.data) || o.test_fraction == 0.0, "--test-fraction is for --data folder:PATH, not for ",
          o.data);
  require(o.limit >= 0, "--limit ", o.limit, ": must be 0 or more");
  const bool of_test = o.split == "test";
  const bool held_out = of_test && o.selection.hold_out > 0;
  // The other part may not be there, and is not looked at.
  (of_test ? o.selection.train : o.selection.test) = 0;
  if (o.limit > 0) {
    (of_test ? o.selection.test : o.selection.train) = o.limit;
    o.selection.test_option = o.selection.train_option = "--limit";
  }
  const std::unique_ptr<Backend> backend = o.device.make();
  WeightsFile weights = read_weights_file(o.weights, o.described.description());
  // Images of a folder are loaded as those that the model was trained on.
  Dataset splits = load_dataset(o.data, o.data_dir,
                                {.size = {weights.image[1], weights.image[2]},
                                 .channels = weights.image[0],
                                 .test_fraction = o.test_fraction,
                                 .split_seed = static_cast<std::uint64_t>(o.split_seed),
                                 .train = !of_test || held_out,
                                 .test = of_test && !held_out,
                                 .progress = loading_bar()},
                                o.selection);
  ImageDataset& dataset = o.split == "test" ? splits.test : splits.train;
  // Without names of its own a model's classes are taken to be the data set's, as far as their number allows it.
  if (!o.described.model.empty() && weights.class_names.size() == dataset.class_names.size()) {
    weights.class_names = dataset.class_names;
  }
  check_class_names(o.weights, weights.class_names, o.data, dataset.class_names);

  Network network(make_model(weights.config), *backend,
                  {.max_batch = std::min(o.batch_size, dataset.size()),
                   .training = false,
                   .dataset_image = dataset.image,
                   .scale = weights.scale,
                   .shift = weights.shift});
  load_weights(network, weights, o.weights);
  const ResidentDataset resident = make_resident(*backend, dataset.image, dataset.pixels, dataset.labels);
  ResidentFeed feed(resident);
  feed.start(network, Mode::inference, {.batch_size = 1});
  feed.next(1);
  const std::string overflow = find_overflow(network, 1);
  require(overflow.empty(), o.weights, ": these weights overflow, first in ", overflow);

  const auto start = std::chrono::steady_clock::now();
  Evaluation evaluation;
  {
    Progress bar(o.split, dataset.size(), "images");
    evaluation = evaluate(network, feed, dataset.labels, {}, [&](const EvaluationProgress& progress) {
      char note[64];
      std::snprintf(note, sizeof note, "loss %.4f  top-1 %.4f", progress.loss, progress.top1);
      bar.update(progress.done, note);
      return true;
    });
  }
  require(evaluation.not_finite == 0, o.weights, ": ", evaluation.not_finite, " of ", evaluation.samples,
          " images have logits that are not finite, the first is image ", evaluation.first_not_finite, " of the ",
          o.split, " images: these weights overflow, and answer nothing");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double images_per_second = static_cast<double>(evaluation.samples) / seconds;

  if (o.json) {
    const auto json = to_json(o, weights.config.name, evaluation, weights.class_names, images_per_second);
    std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%s: %s on the %s images of %s\n", o.weights.c_str(), weights.config.name.c_str(),
              held_out ? "held-out" : o.split.c_str(), o.data.c_str());
  std::printf("%s\n%lld images, %.0f images/s on %s\n", evaluation_table(evaluation, weights.class_names).c_str(),
              static_cast<long long>(evaluation.samples), images_per_second, backend->description().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Tests a trained model on a data set.", "evaluate");
  declare(command_line, options);
  return command_line.run(argc, argv, [&] { run(options); });
}
