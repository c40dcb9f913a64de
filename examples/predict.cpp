/// Says what images show, with a trained model: PNG, JPEG, PGM or PPM files of any size.

#include <minception/core/error.h>
#include <minception/examples/program.h>
#include <minception/models/classifier.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

using namespace minception;

namespace {

struct Options {
  std::string weights;
  DescribedWeights described;
  std::vector<std::string> files;
  int top = 3;
  DeviceOptions device;
  bool json = false;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights, "model.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  o.described.declare(command_line);
  command_line.add_arguments("images", o.files, "image files");
  command_line.add_option("--top", o.top, "how many classes to print for each image, the most probable first");
  o.device.declare(command_line);
  command_line.add_flag("--json", o.json, "print one JSON document instead of text");
}

nlohmann::ordered_json to_json(const std::string& file, const Prediction& prediction,
                               const std::vector<std::string>& class_names) {
  nlohmann::ordered_json probabilities = nlohmann::ordered_json::object();
  for (std::size_t c = 0; c < class_names.size(); ++c) probabilities[class_names[c]] = prediction.probabilities[c];
  return {{"file", file},
          {"class", prediction.class_index},
          {"class_name", class_names[prediction.class_index]},
          {"probability", prediction.probabilities[prediction.class_index]},
          {"probabilities", std::move(probabilities)},
          {"logits", prediction.logits}};
}

/// The classes of a prediction, most probable first.
std::vector<std::size_t> ranked(const Prediction& prediction) {
  std::vector<std::size_t> classes(prediction.probabilities.size());
  std::iota(classes.begin(), classes.end(), std::size_t{0});
  std::stable_sort(classes.begin(), classes.end(), [&](std::size_t a, std::size_t b) {
    return prediction.probabilities[a] > prediction.probabilities[b];
  });
  return classes;
}

void print_text(const Options& o, const std::vector<Prediction>& predictions,
                const std::vector<std::string>& class_names) {
  const std::size_t top = std::min(static_cast<std::size_t>(o.top), class_names.size());
  std::size_t widest_file = 0, widest_name = 0;
  for (const std::string& file : o.files) widest_file = std::max(widest_file, file.size());
  for (const std::string& name : class_names) widest_name = std::max(widest_name, name.size());
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const std::vector<std::size_t> classes = ranked(predictions[i]);
    std::printf("%-*s", static_cast<int>(widest_file), o.files[i].c_str());
    for (std::size_t rank = 0; rank < top; ++rank) {
      const std::size_t c = classes[rank];
      // The last name is not padded: no line ends in spaces.
      std::printf("  %5.1f %% %-*s", 100.0 * predictions[i].probabilities[c],
                  rank + 1 < top ? static_cast<int>(widest_name) : 0, class_names[c].c_str());
    }
    std::printf("\n");
  }
}

/// Finite weights may still overflow.
void check_finite(const Options& o, const std::string& file, const Prediction& prediction) {
  const std::vector<double>& logits = prediction.logits;
  const auto not_finite = std::count_if(logits.begin(), logits.end(), [](double v) { return !std::isfinite(v); });
  require(not_finite == 0, file, ": ", not_finite, " of ", logits.size(), " logits are not finite: the weights of ",
          o.weights, " overflow, and answer nothing");
}

void run(const Options& o) {
  require(o.top >= 1, "--top ", o.top, ": must be 1 or more");
  const std::unique_ptr<Backend> backend = o.device.make();
  constexpr std::size_t kMaxBatch = 32;
  Classifier classifier(o.weights, *backend, static_cast<std::int64_t>(std::min(o.files.size(), kMaxBatch)),
                        o.described.description());
  // All are read before the first is worked on, so that a bad one costs nobody any time.
  std::vector<DecodedImage> images;
  for (const std::string& file : o.files) images.push_back(classifier.prepare(read_image(file)));
  const std::vector<Prediction> predictions = classifier.predict(images);
  for (std::size_t i = 0; i < predictions.size(); ++i) check_finite(o, o.files[i], predictions[i]);

  if (!o.json) return print_text(o, predictions, classifier.class_names());
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    json.push_back(to_json(o.files[i], predictions[i], classifier.class_names()));
  }
  std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Says what images show, with a trained model.", "predict");
  declare(command_line, options);
  return command_line.run(argc, argv, [&] { run(options); });
}
