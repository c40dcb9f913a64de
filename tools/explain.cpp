/// Shows what a network looks at in pictures, as one HTML page: class activation maps, activations of a layer, filters of
/// the first layer.

#include "core/error.h"
#include "core/safetensors.h"
#include "models/classifier.h"
#include "models/explanation.h"
#include "models/occlusion.h"
#include "tools/program.h"
#include "training/progress.h"
#include "training/report/explanation.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

using namespace minception;

namespace {

struct Options {
  std::string weights;
  DescribedWeights described;
  std::vector<std::string> files;
  std::string out = "explain.html", layer, class_name;
  std::int64_t classes = 2;
  DeviceOptions device;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights,
                  "model.safetensors, model_best.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  o.described.declare(command_line);
  command_line.add_arguments("images", o.files, "image files");
  command_line.add_option("--out", o.out, "HTML file to write").value_name("FILE");
  command_line.add_option("--classes", o.classes, "number of classes per picture to draw maps for, likeliest first")
      .range(1, 1000);
  command_line.add_option("--class", o.class_name, "draw the map of this class as well");
  command_line.add_option("--layer", o.layer, "also draw the activations of this layer or block, such as inception3a");
  o.device.declare(command_line);
}

/// The classes to draw: the likeliest, then that of --class.
std::vector<std::size_t> classes_to_show(const Options& o, const Prediction& prediction,
                                         const std::vector<std::string>& names) {
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return prediction.probabilities[a] > prediction.probabilities[b];
  });
  order.resize(std::min(order.size(), static_cast<std::size_t>(o.classes)));
  if (o.class_name.empty()) return order;
  const auto named = static_cast<std::size_t>(std::find(names.begin(), names.end(), o.class_name) - names.begin());
  if (std::find(order.begin(), order.end(), named) == order.end()) order.push_back(named);
  return order;
}

void check_class(const Options& o, const std::vector<std::string>& names) {
  if (o.class_name.empty() || std::find(names.begin(), names.end(), o.class_name) != names.end()) return;
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + printable(name);
  fail("--class '", o.class_name, "': the classes are ", list);
}

/// Name of the first convolution and its weights.
void add_filters(const Network& network, report::ExplanationPage& page) {
  for (const Step& step : network.plan(Mode::inference).steps()) {
    if (!std::holds_alternative<Conv2dForward>(step.operation)) continue;
    const auto state = network.averaged_state();
    const auto found = state.find(step.layer + ".weight");
    if (found == state.end()) return;
    page.first_layer = step.layer;
    page.filters = found->second;
    return;
  }
}

void run(const Options& o) {
  require(has_png(),
          "this build has no libpng, which the pictures of the page need: install libpng-dev and build again");
  const std::unique_ptr<Backend> backend = o.device.make();
  Classifier classifier(o.weights, *backend, 32, o.described.description());
  check_class(o, classifier.class_names());
  Explainer explainer(classifier.network(), o.layer);
  report::ExplanationPage page{.weights = o.weights,
                               .model = classifier.config().name,
                               .class_names = classifier.class_names(),
                               .exact = explainer.has_class_maps(),
                               .layer = o.layer,
                               .first_layer = {},
                               .filters = {},
                               .pictures = {}};
  add_filters(classifier.network(), page);
  Progress bar("explaining", static_cast<std::int64_t>(o.files.size()), "images");
  for (const std::string& file : o.files) {
    const DecodedImage image = classifier.read(file);
    report::ExplainedPicture picture{.name = file,
                                     .label = {},
                                     .image = image,
                                     .prediction = classifier.predict(std::span(&image, 1)).front(),
                                     .shown = {},
                                     .classes = {}};
    Explanation explanation = std::move(explainer.run(1).front());
    picture.shown = classes_to_show(o, picture.prediction, page.class_names);
    picture.layer = std::move(explanation.layer);
    picture.classes = page.exact ? std::move(explanation.classes) : occlusion_maps(classifier, image);
    page.pictures.push_back(std::move(picture));
    bar.update(static_cast<std::int64_t>(page.pictures.size()), "");
  }
  const std::string html = report::explanation_html(page);
  write_file_atomically(o.out, std::as_bytes(std::span<const char>(html.data(), html.size())));
  std::printf("%s\n", o.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Shows what a trained model looks at in pictures, as an HTML page.", "explain");
  declare(command_line, options);
  return command_line.run(argc, argv, [&] { run(options); });
}
