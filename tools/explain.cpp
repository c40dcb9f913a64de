/// Shows what a network looks at in pictures, as one HTML page: class activation maps, the nearest training images,
/// activations of a layer, filters of the first layer.

#include "core/error.h"
#include "core/safetensors.h"
#include "models/classifier.h"
#include "models/explanation.h"
#include "models/occlusion.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "tools/program.h"
#include "tools/run_data.h"
#include "training/batch_source.h"
#include "training/evaluation.h"
#include "training/progress.h"
#include "training/report/explanation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
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
  std::int64_t classes = 2, mistakes = 0, neighbours = 0;
  RunData data;
  DeviceOptions device;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights,
                  "model.safetensors, model_best.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  o.described.declare(command_line);
  command_line.add_option("images", o.files, "image files").value_name("...");
  command_line.add_option("--out", o.out, "HTML file to write").value_name("FILE");
  command_line.add_option("--classes", o.classes, "number of classes per picture to draw maps for, likeliest first")
      .range(1, 1000);
  command_line.add_option("--class", o.class_name, "draw the map of this class as well");
  command_line.add_option("--layer", o.layer, "also draw the activations of this layer or block, such as inception3a");
  command_line.add_option("--mistakes", o.mistakes, "also show the N most confident mistakes on the test images")
      .range(0, 1000);
  command_line
      .add_option("--neighbours", o.neighbours, "also show the N training images with the most similar features")
      .range(0, 100);
  o.data.declare(command_line);
  o.device.declare(command_line);
}

/// The classes to draw: the likeliest, then the true one and that of --class.
std::vector<std::size_t> classes_to_show(const Options& o, const Prediction& prediction, const std::string& label,
                                         const std::vector<std::string>& names) {
  std::vector<std::size_t> order = prediction.ranked(static_cast<std::size_t>(o.classes));
  for (const std::string& name : {label, o.class_name}) {
    const auto index = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (index < names.size() && std::find(order.begin(), order.end(), index) == order.end()) order.push_back(index);
  }
  return order;
}

void check_class(const Options& o, const std::vector<std::string>& names) {
  if (o.class_name.empty() || std::find(names.begin(), names.end(), o.class_name) != names.end()) return;
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + printable(name);
  fail("--class '", o.class_name, "': the classes are ", list);
}

/// A network for the images of a data set.
Network network_for(const WeightsFile& weights, const std::string& file, Backend& backend, const Shape& image) {
  Network network(
      make_model(weights.config), backend,
      {.max_batch = 64, .training = false, .dataset_image = image, .scale = weights.scale, .shift = weights.shift});
  load_weights(network, weights, file);
  return network;
}

DecodedImage image_of(const ImageDataset& dataset, std::int64_t index) {
  const std::span<const std::uint8_t> pixels = dataset.pixels_of(index);
  return {dataset.image, {pixels.begin(), pixels.end()}};
}

std::string name_of(const ImageDataset& dataset, std::int64_t index) {
  return dataset.files.empty() ? concat("image ", index) : dataset.files[static_cast<std::size_t>(index)];
}

const std::string& class_of(const ImageDataset& dataset, std::int64_t index) {
  return dataset.class_names[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(index)])];
}

/// A picture before it is explained.
struct Picture {
  std::string name, label;
  DecodedImage image;
};

/// The most confident mistakes on the test images or, without any, on the validation images.
void add_mistakes(const Options& o, const WeightsFile& weights, Backend& backend, std::vector<Picture>& pictures) {
  const Dataset dataset = o.data.load(weights, false, true, true);
  const ImageDataset& images = dataset.test.size() > 0 ? dataset.test : dataset.validation;
  require(images.size() > 0, "--mistakes: ", o.data.data, " has neither test nor validation images");
  check_class_names(o.weights, weights.class_names, o.data.data, images.class_names);
  Network network = network_for(weights, o.weights, backend, images.image);
  Progress bar("evaluating", images.size(), "images");
  const Evaluation evaluation =
      evaluate(network, o.weights, images, {.most_mistakes = static_cast<std::size_t>(o.mistakes)},
               [&](const EvaluationProgress& progress) {
                 bar.update(progress.done);
                 return true;
               });
  for (const Mistake& mistake : evaluation.mistakes) {
    pictures.push_back(
        {name_of(images, mistake.index), class_of(images, mistake.index), image_of(images, mistake.index)});
  }
}

/// Features of length 1, so that their dot product is the cosine of the angle between them.
std::vector<float> normalized(std::vector<float> features) {
  double sum = 0.0;
  for (const float value : features) sum += static_cast<double>(value) * static_cast<double>(value);
  const double length = std::sqrt(sum);
  if (length > 0.0) {
    for (float& value : features) value = static_cast<float>(static_cast<double>(value) / length);
  }
  return features;
}

/// Finds for each picture the training images whose features are most similar; `features` has one entry per picture.
void add_neighbours(const Options& o, const WeightsFile& weights, Backend& backend,
                    const std::vector<std::vector<float>>& features, std::vector<report::ExplainedPicture>& pictures) {
  struct Near {
    double similarity = 0.0;
    std::int64_t index = 0;
  };
  const Dataset dataset = o.data.load(weights, true, false, false);
  const ImageDataset& images = dataset.train;
  require(images.size() > 0, "--neighbours: ", o.data.data, " has no training images");
  Network network = network_for(weights, o.weights, backend, images.image);
  const ResidentDataset resident = make_resident(backend, images.image, images.all_pixels(), images.labels);
  ResidentBatchSource source(resident);
  source.start(network, Mode::inference, {.batch_size = network.options().max_batch});
  Explainer explainer(network);
  std::vector<std::vector<Near>> nearest(pictures.size());
  const auto more_similar = [](const Near& a, const Near& b) { return a.similarity > b.similarity; };
  Progress bar("searching", images.size(), "images");
  for (std::int64_t begin = 0; begin < images.size(); begin += network.options().max_batch) {
    const std::int64_t batch = std::min(network.options().max_batch, images.size() - begin);
    source.next(batch);
    std::vector<Explanation> explanations = explainer.run(batch, false);
    for (std::int64_t i = 0; i < batch; ++i) {
      const std::vector<float> theirs = normalized(std::move(explanations[static_cast<std::size_t>(i)].features));
      for (std::size_t p = 0; p < pictures.size(); ++p) {
        const Near near = {std::inner_product(theirs.begin(), theirs.end(), features[p].begin(), 0.0), begin + i};
        std::vector<Near>& found = nearest[p];
        found.insert(std::upper_bound(found.begin(), found.end(), near, more_similar), near);
        if (found.size() > static_cast<std::size_t>(o.neighbours)) found.pop_back();
      }
    }
    bar.update(begin + batch);
  }
  for (std::size_t p = 0; p < pictures.size(); ++p) {
    for (const Near& near : nearest[p]) {
      pictures[p].neighbours.push_back({.image = image_of(images, near.index),
                                        .name = name_of(images, near.index),
                                        .class_name = class_of(images, near.index),
                                        .similarity = near.similarity});
    }
  }
}

void run(Options o, bool test_fraction_given) {
  require(has_png(),
          "this build has no libpng, which the pictures of the page need: install libpng-dev and build again");
  require(!o.files.empty() || o.mistakes > 0, "nothing to explain: name image files, or give --mistakes N");
  const std::unique_ptr<Backend> backend = o.device.make();
  const WeightsFile weights = read_weights_file(o.weights, o.described.description());
  if (o.mistakes > 0 || o.neighbours > 0) o.data.take_from_run(o.weights, test_fraction_given);
  Classifier classifier(o.weights, *backend, 32, o.described.description());
  check_class(o, classifier.class_names());
  Explainer explainer(classifier.network(), o.layer);
  std::vector<Picture> pictures;
  for (const std::string& file : o.files) pictures.push_back({file, "", classifier.read(file)});
  if (o.mistakes > 0) add_mistakes(o, weights, *backend, pictures);

  report::ExplanationPage page{.weights = o.weights,
                               .model = classifier.config().name,
                               .class_names = classifier.class_names(),
                               .exact = explainer.has_class_maps(),
                               .layer = o.layer,
                               .first = first_filters(classifier.network()),
                               .pictures = {}};
  std::vector<std::vector<float>> features;
  {
    Progress bar("explaining", static_cast<std::int64_t>(pictures.size()), "images");
    for (Picture& one : pictures) {
      report::ExplainedPicture picture{.name = std::move(one.name),
                                       .label = std::move(one.label),
                                       .image = one.image,
                                       .prediction = classifier.predict(std::span(&one.image, 1)).front(),
                                       .shown = {},
                                       .classes = {}};
      Explanation explanation = std::move(explainer.run(1).front());
      picture.shown = classes_to_show(o, picture.prediction, picture.label, page.class_names);
      picture.layer = std::move(explanation.layer);
      picture.classes = page.exact ? std::move(explanation.classes) : occlusion_maps(classifier, one.image);
      features.push_back(normalized(std::move(explanation.features)));
      page.pictures.push_back(std::move(picture));
      bar.update(static_cast<std::int64_t>(page.pictures.size()));
    }
  }
  if (o.neighbours > 0) add_neighbours(o, weights, *backend, features, page.pictures);
  const std::string html = report::explanation_html(page);
  write_file_atomically(o.out, std::as_bytes(std::span<const char>(html.data(), html.size())));
  std::printf("%s\n", o.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Shows what a trained model looks at in pictures, as an HTML page.", "explain");
  declare(command_line, options);
  return command_line.run(argc, argv, [&] { run(options, command_line.count("--test-fraction") > 0); });
}
