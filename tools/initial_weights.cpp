#include "tools/initial_weights.h"
#include "core/error.h"
#include "data/registry.h"
#include "models/registry.h"
#include "tools/program.h"
#include "tools/recipes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace minception {
namespace {

std::string joined(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += concat(text.empty() ? "" : ",", value);
  return text;
}

std::string text_of(const Normalization& n) {
  return concat("--mean ", joined(n.mean), " --std ", joined(n.deviation));
}

/// Compares with a tolerance: options are typed with few digits, files hold f32.
bool are_close(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const double x = a[a.size() == 1 ? 0 : i], y = b[b.size() == 1 ? 0 : i];
    if (!(std::abs(x - y) <= 1e-4 * std::abs(y) + 1e-6)) return false;
  }
  return true;
}

/// Whether an option was set by the command line, a recipe, or the resumed run.
bool is_given(const CommandLine& command_line, const TrainOptions& o, const std::string& name) {
  if (!o.resume.empty() || command_line.count("--" + name) > 0) return true;
  return !o.recipe.empty() && find_recipe(o.recipe).options.contains(name);
}

/// Sets options from the file's metadata.
class Labels {
 public:
  Labels(const CommandLine& command_line, TrainOptions& options, const WeightsFile& file)
      : command_line_(command_line), o_(options), file_(file), input_(file.config.input) {}

  void take_over() {
    take_model();
    take_image_size();
    take_normalization();
    take_image_options();
  }

 private:
  bool given(const std::string& name) const { return is_given(command_line_, o_, name); }

  void take_model() {
    require(!given("model") || o_.model == file_.config.name, "--model ", o_.model, ": ", o_.init_file,
            " has weights of ", file_.config.name, "; leave out --model or give weights of ", o_.model);
    o_.model = file_.config.name;
    require(!o_.no_transform_input || !file_.config.transform_input, "--no-transform-input: ", o_.init_file,
            " was trained without it; leave out the option");
    o_.no_transform_input = !file_.config.transform_input;
  }

  void take_image_size() {
    const std::string own = size_text(input_);
    if (!o_.image_size.empty() && parse_image_size(o_.image_size) != Shape{input_[1], input_[2]}) {
      std::fprintf(stderr, "warning: --image-size %s: %s was trained on images of %s\n", o_.image_size.c_str(),
                   o_.init_file.c_str(), own.c_str());
      return;
    }
    o_.image_size = own;
    if (is_image_folder(o_.data) && !given("folder-size") && size_text(file_.image) != own) {
      o_.folder_size = size_text(file_.image);
    }
  }

  void take_image_options() {
    if (!is_image_folder(o_.data)) return;
    const ImageOptions& own = file_.image_options;
    const auto& [r, g, b] = own.background;
    const auto take = [&](const char* name, auto& option, const auto& value) {
      require(!given(name) || option == value, "--", name, " ", option, ": ", o_.init_file, " was trained with --",
              name, " ", value, "; leave out the option");
      option = value;
    };
    take("resize", o_.resize, std::string(to_string(own.resize)));
    take("ignore-orientation", o_.ignore_orientation, !own.exif_orientation);
    if (parse_colour(o_.background) != own.background) take("background", o_.background, concat(+r, ",", +g, ",", +b));
  }

  void take_normalization() {
    const std::optional<Normalization> found = normalization_of(file_.scale, file_.shift);
    const auto in_range = [](double mean) { return mean >= 0.0 && mean <= 1.0; };
    require(found && std::all_of(found->mean.begin(), found->mean.end(), in_range), o_.init_file,
            ": 'preprocessing' in its metadata cannot be expressed by --mean and --std");
    const std::size_t channels = static_cast<std::size_t>(input_[0]);
    Normalization wanted = *found;
    if (given("mean")) wanted.mean = o_.mean;
    if (given("std")) wanted.deviation = o_.std;
    for (const std::vector<double>* values : {&wanted.mean, &wanted.deviation}) {
      require(values->size() == 1 || values->size() == channels, text_of(wanted), ": ", o_.init_file,
              " is for images of ", channels, channels == 1 ? " channel" : " channels");
    }
    require(are_close(wanted.scale(), file_.scale) && are_close(wanted.shift(), file_.shift), text_of(wanted), ": ",
            o_.init_file, " was trained with ", text_of(*found), "; leave out these options");
    o_.mean = found->mean;
    o_.std = found->deviation;
  }

  const CommandLine& command_line_;
  TrainOptions& o_;
  const WeightsFile& file_;
  const Shape& input_;
};

}  // namespace

std::optional<WeightsFile> read_initial_weights(const CommandLine& command_line, TrainOptions& o) {
  if (o.init_file.empty()) return std::nullopt;
  WeightsFile file =
      read_weights_file(o.init_file, {.model = is_given(command_line, o, "model") ? o.model : "",
                                      .size = o.image_size.empty() ? Shape{} : parse_image_size(o.image_size),
                                      .normalization = {o.mean, o.std},
                                      .transform_input = !o.no_transform_input,
                                      .if_needed = true});
  if (file.described) {
    o.image_size = size_text(file.config.input);
  } else {
    Labels(command_line, o, file).take_over();
  }
  std::printf("starting from %s: %s for %lld classes, images of %s, %s\n", o.init_file.c_str(), o.model.c_str(),
              static_cast<long long>(file.config.classes), o.image_size.c_str(), text_of({o.mean, o.std}).c_str());
  return file;
}

void check_initial_weights(const WeightsFile& weights, const TrainOptions& o, const Dataset& dataset) {
  const std::int64_t channels = weights.config.input[0];
  require(dataset.train.image[0] == channels, o.init_file, ": its model takes images of ", channels,
          channels == 1 ? " channel" : " channels", "; those of ", dataset.name, " have ", dataset.train.image[0]);
  if (o.reset_head > 0) return;
  const std::vector<std::string>& names = dataset.train.class_names;
  try {
    // Weights without metadata have no class names to compare.
    const bool named = !weights.described || weights.class_names.size() != names.size();
    check_class_names(o.init_file, named ? weights.class_names : names, dataset.name, names);
  } catch (const Error& error) {
    fail(error.what(), "; use --reset-head ", names.size(), " to replace the last layer");
  }
}

void load_initial_weights(Network& network, const WeightsFile& weights, const TrainOptions& o) {
  const std::vector<std::string> absent =
      load_weights(network, weights, o.init_file, o.reset_head > 0 ? Heads::keep : Heads::load);
  if (absent.empty()) return;
  std::string names;
  for (const std::string& name : absent) names += (names.empty() ? "" : ", ") + name;
  std::printf("%s has no auxiliary classifiers (%s): they start from their initial values\n", o.init_file.c_str(),
              names.c_str());
}

}  // namespace minception
