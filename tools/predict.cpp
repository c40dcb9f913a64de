/// Classifies images with a trained model: image files of any size, folders and patterns. Prints predictions batch by
/// batch, and lists unreadable files at the end.

#include "core/error.h"
#include "core/parallel_for.h"
#include "data/image_folder.h"
#include "models/classifier.h"
#include "tools/program.h"

#include <nlohmann/json.hpp>

#include <glob.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string_view>

using namespace minception;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string weights;
  DescribedWeights described;
  std::vector<std::string> arguments;
  int top = 3;
  DeviceOptions device;
  bool json = false, csv = false;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights,
                  "model.safetensors, model_best.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  o.described.declare(command_line);
  command_line.add_arguments("images", o.arguments,
                             "image files, folders (searched recursively by file suffix) and patterns such as "
                             "'photos/*.jpg'");
  command_line.add_option("--top", o.top, "number of classes to print per image, most probable first");
  o.device.declare(command_line);
  const auto json = command_line.add_flag("--json", o.json, "print one JSON document instead of text");
  command_line
      .add_flag("--csv", o.csv, "print comma-separated values: file, class, probability, probability of each class")
      .excludes(json);
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

void append_images_below(const fs::path& folder, std::vector<std::string>& files) {
  std::vector<std::string> found;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::follow_directory_symlink, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (is_left_by_systems(entry->path().filename().string())) {
      entry.disable_recursion_pending();
    } else if (has_image_suffix(entry->path()) && !entry->is_directory()) {
      found.push_back(entry->path().string());
    }
  }
  require(!error, folder.string(), ": this folder cannot be read: ", error.message());
  require(!found.empty(), folder.string(), ": this folder contains no images");
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
}

/// Expands folders and patterns to files. Any other argument is passed through, whether the file exists or not.
std::vector<std::string> files_of(const std::vector<std::string>& arguments) {
  std::vector<std::string> files;
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (fs::is_directory(argument, error)) {
      append_images_below(argument, files);
    } else if (fs::exists(argument, error) || argument.find_first_of("*?[") == std::string::npos) {
      files.push_back(argument);
    } else {
      glob_t matches = {};
      const int status = ::glob(argument.c_str(), 0, nullptr, &matches);
      for (std::size_t i = 0; i < matches.gl_pathc; ++i) files.emplace_back(matches.gl_pathv[i]);
      ::globfree(&matches);
      require(status == 0, argument, ": no file has this name or matches this pattern");
    }
  }
  return files;
}

/// Prints predictions as they arrive: as text, one JSON document, or comma-separated values.
class Printer {
 public:
  Printer(const Options& options, const std::vector<std::string>& files, const std::vector<std::string>& class_names)
      : options_(options), class_names_(class_names) {
    for (const std::string& file : files) widest_file_ = std::max(widest_file_, printable(file).size());
    for (const std::string& name : class_names) widest_name_ = std::max(widest_name_, name.size());
    if (options.json) std::printf("[");
    if (options.csv) {
      std::printf("file,class,probability");
      for (const std::string& name : class_names) std::printf(",%s", quoted(name).c_str());
      std::printf("\n");
    }
  }
  void add(const std::string& file, const Prediction& prediction) {
    if (options_.json) {
      const auto json = to_json(file, prediction, class_names_);
      std::printf("%s%s", first_ ? "" : ",\n ",
                  json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    } else if (options_.csv) {
      std::printf("%s,%s,%.6g", quoted(file).c_str(), quoted(class_names_[prediction.class_index]).c_str(),
                  prediction.probabilities[prediction.class_index]);
      for (const double probability : prediction.probabilities) std::printf(",%.6g", probability);
      std::printf("\n");
    } else {
      print_text(file, prediction);
    }
    first_ = false;
  }
  void finish() {
    if (options_.json) std::printf("]\n");
  }

 private:
  /// A CSV field, quoted where needed (RFC 4180).
  static std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string result = "\"";
    for (const char letter : text) result += letter == '"' ? "\"\"" : std::string(1, letter);
    return result + "\"";
  }
  void print_text(const std::string& file, const Prediction& prediction) const {
    const std::vector<std::size_t> classes = prediction.ranked(static_cast<std::size_t>(options_.top));
    std::printf("%-*s", static_cast<int>(widest_file_), printable(file).c_str());
    for (std::size_t rank = 0; rank < classes.size(); ++rank) {
      const std::size_t c = classes[rank];
      // The last name is not padded, to avoid trailing spaces.
      std::printf("  %5.1f %% %-*s", 100.0 * prediction.probabilities[c],
                  rank + 1 < classes.size() ? static_cast<int>(widest_name_) : 0, class_names_[c].c_str());
    }
    std::printf("\n");
  }

  const Options& options_;
  const std::vector<std::string>& class_names_;
  std::size_t widest_file_ = 0, widest_name_ = 0;
  bool first_ = true;
};

/// Finite weights can still overflow in the forward pass.
void check_finite(const Options& o, const std::string& file, const Prediction& prediction) {
  const std::vector<double>& logits = prediction.logits;
  const auto not_finite = std::count_if(logits.begin(), logits.end(), [](double v) { return !std::isfinite(v); });
  require(not_finite == 0, file, ": ", not_finite, " of ", logits.size(), " logits are not finite: the weights of ",
          o.weights, " overflow and give no prediction");
}

void run(const Options& o) {
  require(o.top >= 1, "--top ", o.top, ": must be 1 or more");
  const std::vector<std::string> files = files_of(o.arguments);
  const std::unique_ptr<Backend> backend = o.device.make();
  constexpr std::size_t kMaxBatch = 32;
  const std::size_t max_batch = std::min(files.size(), kMaxBatch);
  Classifier classifier(o.weights, *backend, static_cast<std::int64_t>(max_batch), o.described.description());
  std::unique_ptr<Printer> printer;  // created at the first prediction: an earlier error leaves stdout empty
  std::vector<std::string> refused;
  for (std::size_t begin = 0; begin < files.size(); begin += max_batch) {
    const std::span<const std::string> batch =
        std::span(files).subspan(begin, std::min(max_batch, files.size() - begin));
    std::vector<DecodedImage> read(batch.size());
    std::vector<std::string> errors(batch.size());
    parallel_for(batch.size(), o.device.threads, [&](std::size_t i) {
      try {
        read[i] = classifier.read(batch[i]);
      } catch (const Error& error) {
        errors[i] = error.what();
      }
    });
    std::vector<DecodedImage> images;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!errors[i].empty()) {
        refused.push_back(std::move(errors[i]));
        continue;
      }
      images.push_back(std::move(read[i]));
      names.push_back(batch[i]);
    }
    const std::vector<Prediction> predictions = classifier.predict(images);
    for (std::size_t i = 0; i < predictions.size(); ++i) {
      check_finite(o, names[i], predictions[i]);
      if (!printer) printer = std::make_unique<Printer>(o, files, classifier.class_names());
      printer->add(names[i], predictions[i]);
    }
    std::fflush(stdout);
  }
  if (printer) printer->finish();
  if (refused.empty()) return;
  if (refused.size() == 1) fail(refused[0]);
  throw Error(concat(refused.size(), " of ", files.size(), " images cannot be read:"), refused);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Classifies images with a trained model.", "predict");
  declare(command_line, options);
  return command_line.run(argc, argv, [&] { run(options); });
}
