#include "tools/train_options.h"
#include "core/error.h"
#include "data/registry.h"
#include "models/registry.h"
#include "tools/program.h"
#include "tools/recipes.h"
#include "training/schedule.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <limits>
#include <type_traits>

namespace minception {
namespace {

enum class Decides : std::uint8_t {
  result,   ///< affects results
  nothing,  ///< does not affect results: paths, logging, how images are loaded
};

std::string recipe_list() {
  std::string list = "\nWith --data folder:PATH most defaults depend on the images; train prints them.\n\nRecipes:\n";
  for (const Recipe& recipe : recipes()) {
    const std::string name = recipe.name;
    list += concat("  ", name, std::string(name.size() < 12 ? 12 - name.size() : 1, ' '), recipe.about, '\n');
  }
  return list;
}

/// Calls f(name, member, Decides, help) for every option.
template <class Options, class F>
void each_option(Options& o, F&& f) {
  using enum Decides;
  f("recipe", o.recipe, result, "named set of options, listed below; options on the command line take precedence");
  f("model", o.model, result, "googlenet, alexnet, vgg11, nin and others: docs/models.md");
  f("data", o.data, result,
    "fashion-mnist, mnist, cifar10, or folder:PATH, a folder with a sub-folder of images per class (several: "
    "folder:PATH:PATH)");
  f("data-dir", o.data_dir, nothing,
    "folder or archive of the data set (default: where its package installs it): docs/data.md");
  f("folder-size", o.folder_size, result,
    "folder: size at which images are loaded: 96 or 96x64 (height x width; default: --image-size)");
  f("labels", o.labels, result,
    "folder: CSV table with the path and class of each image, instead of a folder per class: docs/data.md");
  f("resize", o.resize, result,
    "folder: resize mode for images of other proportions: stretch, crop (centre crop), or letterbox (borders)");
  f("ignore-orientation", o.ignore_orientation, result, "folder: do not apply the EXIF orientation");
  f("background", o.background, result,
    "folder: colour of transparent pixels and borders: black, grey, white, or R,G,B from 0 to 255");
  f("validation-fraction", o.validation_fraction, result,
    "fraction of the training images held out to choose the best epoch (0: use the test images; default for folders "
    "without a sub-folder val: 0.2)");
  f("test-fraction", o.test_fraction, result,
    "folder: fraction of each class used for testing (default: the images in PATH/test)");
  f("split-seed", o.split_seed, result,
    "folder: seed of the random choice of --validation-fraction and --test-fraction");
  f("image-size", o.image_size, result,
    "network input size: 96, or 96x64 (height x width; default: the model's own: docs/models.md)");
  f("mean", o.mean, result, "mean to subtract from pixels in [0, 1]: one number, or one per channel");
  f("std", o.std, result, "divisor of the pixels after --mean is subtracted");
  f("crop-padding", o.crop_padding, result, "random crops: pixels of padding on each side (0: off)");
  f("flip", o.flip, result, "mirror images horizontally with probability 0.5");
  f("scale", o.scale, result, "random resized crops: smallest fraction of the image's area (1: off)");
  f("ratio", o.ratio, result,
    "random resized crops: largest aspect ratio; the smallest is its inverse (GoogLeNet: 1.3333)");
  f("brightness", o.brightness, result, "colour jitter: multiply pixels by a random factor in [1 - value, 1 + value]");
  f("contrast", o.contrast, result, "colour jitter: the same for contrast");
  f("saturation", o.saturation, result, "colour jitter: the same for saturation");
  f("epochs", o.epochs, result, "passes over the training images");
  f("batch-size", o.batch_size, result, "images per batch");
  f("accumulate", o.accumulate, result, "number of batches whose gradients are accumulated into one step");
  f("optimizer", o.optimizer, result, "sgd, adam, or adamw (decoupled weight decay)");
  f("lr", o.learning_rate, result, "learning rate; with --schedule one-cycle its maximum (adam and adamw: 0.001)");
  f("momentum", o.momentum, result, "momentum; with --schedule one-cycle its maximum");
  f("base-momentum", o.base_momentum, result,
    "one-cycle: momentum at the maximum learning rate (default: constant momentum)");
  f("nesterov", o.nesterov, result, "Nesterov momentum");
  f("beta1", o.beta1, result, "adam, adamw: decay of the gradient average; one-cycle varies it");
  f("beta2", o.beta2, result, "adam, adamw: decay of the squared-gradient average");
  f("eps", o.eps, result, "adam, adamw: constant added to the denominator");
  f("weight-decay", o.weight_decay, result, "L2 penalty on weights; adamw: decoupled");
  f("max-norm", o.max_norm, result, "clip the total gradient norm to this value (0: no clipping)");
  f("ema", o.ema, result,
    "decay of the exponential moving average of the weights, which is tested and exported, such as 0.999 (0: off)");
  f("label-smoothing", o.label_smoothing, result, "fraction of the target spread over all classes");
  f("schedule", o.schedule, result,
    "learning rate schedule: constant, step, cosine, one-cycle, or paper (4 % less every 8 epochs, as in the GoogLeNet "
    "paper)");
  f("warmup-epochs", o.warmup_epochs, result, "epochs of linear warm-up from 0 before the schedule");
  f("pct-start", o.pct_start, result, "one-cycle: fraction of the steps over which the learning rate rises");
  f("step-size", o.step_size, result, "step: epochs between decays");
  f("gamma", o.gamma, result, "step: decay factor");
  f("eta-min", o.eta_min, result, "cosine: final learning rate");
  f("patience", o.patience, result,
    "stop after this many epochs without a better validation accuracy (without validation images: test accuracy; 0: "
    "never)");
  f("initialization", o.initialization, result, "xavier-uniform, kaiming-normal, kaiming-normal-fan-out or resnet");
  f("no-transform-input", o.no_transform_input, result,
    "googlenet_torchvision: same as torchvision's transform_input=False (docs/models.md)");
  f("init", o.init_file, result,
    "start from the weights in this file and use the model, image size, mean and std of its run; or, with --model, "
    "start from a state dict (docs/models.md)");
  f("reset-head", o.reset_head, result,
    "with --init: replace the last layer with a new one for this number of classes");
  f("freeze", o.freeze, result, "name prefixes of parameters not to train; takes a list, repeatable");
  f("device", o.device, result, "cpu, cuda, auto (cuda if a GPU is available, else cpu), or reference (slow loops)");
  f("compute", o.compute, result, "precision: f32; bf16, with f32 weights; on cuda also tf32");
  f("kernels", o.kernels, result, "cuda: ours, or vendor (cuDNN and cuBLAS)");
  f("threads", o.threads, result, "threads (0: all cores)");
  f("seed", o.seed, result, "seed of initialization, order, augmentation and dropout");
  f("hold-out", o.hold_out, result,
    "number of training images to hold out, evenly spaced, instead of --validation-fraction");
  f("limit-train", o.limit_train, result, "use the first N training images (0: all)");
  f("limit-test", o.limit_test, result, "use the first N test images and at most N validation images (0: all)");
  f("no-shuffle", o.no_shuffle, result, "use the training images in stored order");
  f("balance-classes", o.balance_classes, result,
    "oversample every class to the size of the largest, which makes epochs longer");
  f("log-every", o.log_every, result, "steps between lines of metrics.jsonl");
  f("stream", o.stream, nothing, "keep the images in host memory and load batches with threads");
  f("cache", o.cache, nothing,
    "folder: keep the resized pixels in this folder and read them from there; for many or large images");
  f("no-graph", o.no_graph, nothing, "cuda: launch each kernel separately instead of replaying CUDA graphs");
  f("check-nan", o.check_nan, nothing, "check all outputs of each step (slow) and name the first layer with a NaN");
  f("profile", o.profile, nothing, "instead of training, show where the time of a step goes and write profile.json");
  f("profile-steps", o.profile_steps, nothing, "with --profile: steps to time (0: 10, or 1 if kernels are emulated)");
  f("num-workers", o.num_workers, nothing, "with --stream or --cache: number of threads that prefetch batches");
  f("checkpoint-every", o.checkpoint_every, nothing,
    "steps between checkpoints, in addition to one per epoch (0: off)");
  f("keep-checkpoints", o.keep_checkpoints, nothing, "number of checkpoints to keep");
  f("tensorboard", o.tensorboard, nothing, "also write TensorBoard event files");
}

/// Option names before version 0.2.0, in command lines and in config.json of runs.
constexpr std::pair<const char*, const char*> kEarlierNames[] = {{"--deviation", "--std"},
                                                                 {"--crop-area", "--scale"},
                                                                 {"--crop-aspect", "--ratio"},
                                                                 {"--lowest-momentum", "--base-momentum"},
                                                                 {"--epsilon", "--eps"},
                                                                 {"--clip-norm", "--max-norm"},
                                                                 {"--one-cycle-rise", "--pct-start"},
                                                                 {"--step-epochs", "--step-size"},
                                                                 {"--step-factor", "--gamma"},
                                                                 {"--lowest-lr", "--eta-min"},
                                                                 {"--loader-threads", "--num-workers"}};

struct Group {
  const char* heading;
  std::vector<const char*> options;
};

const Group kGroups[] = {
    {"Run", {"out", "resume", "overwrite", "config", "recipe", "model", "epochs", "seed"}},
    {"Images",
     {"data", "data-dir", "labels", "folder-size", "resize", "ignore-orientation", "background", "validation-fraction",
      "hold-out", "test-fraction", "split-seed", "limit-train", "limit-test", "image-size", "mean", "std"}},
    {"Augmentation and sampling",
     {"crop-padding", "flip", "scale", "ratio", "brightness", "contrast", "saturation", "no-shuffle",
      "balance-classes"}},
    {"Optimization",
     {"batch-size", "accumulate", "optimizer", "lr", "momentum", "base-momentum", "nesterov", "beta1", "beta2", "eps",
      "weight-decay", "max-norm", "ema", "label-smoothing"}},
    {"Schedule", {"schedule", "warmup-epochs", "pct-start", "step-size", "gamma", "eta-min", "patience"}},
    {"Initial weights", {"initialization", "init", "reset-head", "freeze", "no-transform-input"}},
    {"Device", {"device", "compute", "kernels", "threads", "stream", "cache", "num-workers", "no-graph"}},
    {"Output",
     {"log-every", "checkpoint-every", "keep-checkpoints", "tensorboard", "check-nan", "profile", "profile-steps"}}};

void check_count(const char* option, std::int64_t value, std::int64_t least, std::int64_t most) {
  require(value >= least && value <= most, option, " ", value, ": must be ", least, " to ", most);
}

}  // namespace

void declare(CommandLine& command_line, TrainOptions& options) {
  each_option(options, [&](const std::string& name, auto& member, Decides, const char* help) {
    using Member = std::remove_reference_t<decltype(member)>;
    if constexpr (std::is_same_v<Member, bool>) {
      command_line.add_flag("--" + name, member, help);
    } else if constexpr (requires { member.push_back(typename Member::value_type()); } &&
                         !std::is_same_v<Member, std::string>) {
      command_line.add_option("--" + name, member, help).list();
    } else {
      command_line.add_option("--" + name, member, help);
    }
  });
  command_line.option("--base-momentum").default_text("");
  command_line.option("--recipe").default_text("");
  command_line.option("--folder-size").default_text("");
  command_line.option("--labels").default_text("");
  command_line.option("--cache").default_text("");
  command_line.option("--freeze").default_text("");
  command_line.option("--threads").default_text("0");
  for (const auto& [earlier, name] : kEarlierNames) command_line.add_earlier_name(earlier, name);
  command_line.footer(recipe_list());
  command_line.add_option("--out", options.out, "folder of the run, for instance runs/first");
  command_line.add_option("--resume", options.resume, "resume the run in this folder with its own options");
  command_line.add_config_option(
      "--config", "JSON file with options, such as config.json of a run; the command line takes precedence");
  command_line.add_flag("--overwrite", options.overwrite, "replace the run in the folder of --out");
  for (const Group& group : kGroups) {
    for (const char* name : group.options) command_line.option(concat("--", name)).group(group.heading);
  }
}

namespace {

/// Options of the folder recipe that belong to its optimizer. Dropped for another optimizer or if an SGD option is set.
constexpr const char* kOptimizerOptions[] = {"optimizer", "lr", "weight-decay", "schedule"};
constexpr const char* kSgdOptions[] = {"momentum", "nesterov", "base-momentum"};

/// Recipe options that are dropped with --init: the weights determine them.
constexpr const char* kInitOptions[] = {"model", "image-size", "initialization"};

/// Sets the default fractions of a folder of images: a validation part unless one exists or was requested, and a test
/// part if there would be nothing to evaluate on. Returns the options that were set.
nlohmann::ordered_json set_folder_parts(const CommandLine& command_line, TrainOptions& options) {
  const ImageFolderParts parts =
      image_folder_parts(image_folder_paths(options.data, options.data_dir), image_folder_options(options));
  const auto given = [&](const char* name) { return command_line.count(name) > 0; };
  nlohmann::ordered_json set = nlohmann::ordered_json::object();
  if (!parts.validation && !given("--validation-fraction") && !given("--hold-out")) {
    set["validation-fraction"] = options.validation_fraction = kFolderValidation;
  }
  const bool validates = parts.validation || options.validation_fraction > 0.0 || options.hold_out > 0;
  if (!validates && !parts.test && !given("--test-fraction")) {
    set["test-fraction"] = options.test_fraction = kFolderValidation;
  }
  return set;
}

nlohmann::ordered_json recipe_of_folder(const CommandLine& command_line, const TrainOptions& options,
                                        nlohmann::ordered_json recipe) {
  ImageFolderSummary folder;
  try {
    folder = summarize_image_folder(image_folder_paths(options.data, options.data_dir), image_folder_options(options),
                                    selection(options));
  } catch (const Error&) {
    return nlohmann::ordered_json::object();  // the error is reported when the images are loaded
  }
  recipe.update(folder_recipe(folder));
  const auto given = [&](const std::string& name) { return command_line.count("--" + name) > 0; };
  const auto erase = [&](const auto& names) {
    for (const char* name : names) recipe.erase(name);
  };
  const bool other_optimizer = (given("optimizer") && options.optimizer != recipe.value("optimizer", "")) ||
                               std::any_of(std::begin(kSgdOptions), std::end(kSgdOptions), given);
  if (other_optimizer) erase(kOptimizerOptions);
  if (!options.init_file.empty()) erase(kInitOptions);
  if (given("scale") || given("ratio")) recipe.erase("crop-padding");
  std::string line;
  for (const auto& [name, value] : recipe.items()) {
    if (given(name)) continue;
    line += " --" + name;
    if (!value.is_boolean()) line += " " + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  std::printf("defaults for %lld training images of %lld classes:%s\n", static_cast<long long>(folder.train_images),
              static_cast<long long>(folder.classes), line.c_str());
  if (other_optimizer) {
    std::printf(
        "the optimizer is not AdamW: the folder defaults for learning rate, weight decay and schedule do not apply\n");
  }
  return recipe;
}

}  // namespace

void set_defaults(const CommandLine& command_line, TrainOptions& options) {
  bool rate_known = command_line.count("--lr") > 0;
  nlohmann::ordered_json parts = nlohmann::ordered_json::object();
  if (is_image_folder(options.data) && options.resume.empty()) parts = set_folder_parts(command_line, options);
  const bool of_folder = options.recipe.empty() ? is_image_folder(options.data) : options.recipe == "folder";
  if ((of_folder || !options.recipe.empty()) && options.resume.empty()) {
    require(!of_folder || is_image_folder(options.data), "--recipe folder is for --data folder:PATH, not for ",
            options.data);
    const nlohmann::ordered_json recipe =
        of_folder ? recipe_of_folder(command_line, options, std::move(parts)) : find_recipe(options.recipe).options;
    std::size_t known = 0;
    each_option(options, [&](const std::string& name, auto& member, Decides, const char*) {
      if (!recipe.contains(name)) return;
      ++known;
      if (command_line.count("--" + name) == 0) recipe.at(name).get_to(member);
    });
    require(known == recipe.size(), "--recipe ", options.recipe, " names options that train does not have");
    rate_known = rate_known || recipe.contains("lr");
  }
  if (options.optimizer != "sgd" && !rate_known) options.learning_rate = 1e-3;
  if (options.image_size.empty() && options.resume.empty() && options.init_file.empty()) {
    options.image_size = size_text(default_config(options.model).input);
  }
}

void check(const TrainOptions& o) {
  // The parser clamps numbers that are too large to the largest value.
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() - 1;
  const bool resumes = !o.resume.empty();
  require(!o.out.empty() || resumes, "--out is required: the folder of the run, for instance --out runs/first");
  require(o.out.empty() || !resumes, "--out and --resume cannot be combined: a run resumes in its own folder");
  require(!resumes || !o.overwrite, "--resume and --overwrite cannot be combined");
  check_count("--split-seed", o.split_seed, 0, kMost);
  check_count("--seed", o.seed, 0, kMost);
  check_count("--reset-head", o.reset_head, 0, 1'000'000);
  check(selection(o));
  ImageFolderOptions folder = image_folder_options(o);
  if (o.folder_size.empty()) folder.size = 1;  // it follows from the image size
  check(folder);
  // (not checked for a resumed run: its data set and optimizer are known only later, and given options are then compared
  // with its own)
  const TrainOptions plain;
  const std::pair<const char*, bool> for_folders[] = {{"--folder-size", !o.folder_size.empty()},
                                                      {"--labels", !o.labels.empty()},
                                                      {"--cache", !o.cache.empty()},
                                                      {"--test-fraction", o.test_fraction != 0.0},
                                                      {"--resize", o.resize != plain.resize},
                                                      {"--background", o.background != plain.background},
                                                      {"--ignore-orientation", o.ignore_orientation}};
  for (const auto& [option, is_set] : for_folders) {
    require(!is_set || resumes || is_image_folder(o.data), option, " is for --data folder:PATH, not for ", o.data);
  }
  const bool adam = o.optimizer == "adam" || o.optimizer == "adamw";
  require(adam || o.optimizer == "sgd", "--optimizer ", o.optimizer, ": use sgd, adam or adamw");
  require(!adam || o.momentum == 0.0, "--momentum is for --optimizer sgd; with ", o.optimizer, " use --beta1");
  require(!adam || !o.nesterov, "--nesterov is for --optimizer sgd");
  require(adam || resumes || (o.beta1 == plain.beta1 && o.beta2 == plain.beta2 && o.eps == plain.eps),
          "--beta1, --beta2 and --eps need --optimizer adam or adamw");
  require(o.reset_head == 0 || resumes || !o.init_file.empty(),
          "--reset-head needs --init with a file of trained weights");
}

ImageFolderOptions image_folder_options(const TrainOptions& o) {
  const auto parsed = [](const char* option, const std::string& text, auto* parse) {
    try {
      return parse(text);
    } catch (const Error& error) {
      fail(option, ": ", error.what());
    }
  };
  const Shape size = o.folder_size.empty() ? Shape{0, 0} : parse_image_size(o.folder_size);
  return {.size = {size[0], size[1]},
          .image = {.resize = parsed("--resize", o.resize, parse_resize),
                    .exif_orientation = !o.ignore_orientation,
                    .background = parsed("--background", o.background, parse_colour)},
          .test_fraction = o.test_fraction,
          .split_seed = static_cast<std::uint64_t>(o.split_seed),
          .labels = o.labels};
}

Selection selection(const TrainOptions& o) {
  return {.hold_out = o.hold_out,
          .validation_fraction = o.validation_fraction,
          .train = o.limit_train,
          .test = o.limit_test};
}

nlohmann::ordered_json to_json(const TrainOptions& options) {
  nlohmann::ordered_json json;
  each_option(options, [&](const char* name, const auto& member, Decides decides, const char*) {
    if (decides == Decides::result) json[name] = member;
  });
  return json;
}

void complete_from(const CommandLine& command_line, TrainOptions& options, const nlohmann::ordered_json& saved,
                   const std::string& source) {
  // Options that the run does not record keep their defaults, which turn newer features off.
  nlohmann::ordered_json recorded = to_json(TrainOptions());
  for (const auto& [name, value] : saved.items()) recorded[command_line.current_name("--" + name).substr(2)] = value;
  // `fit` does not record images that it was given in memory.
  const bool named = saved.contains("data");
  require(
      named || command_line.count("--data") > 0, source,
      ": the run has no record of where its images came from; name them with --data and the options that load them, or "
      "resume the run by the program that started it");
  const std::string schedule = recorded.value("schedule", "");
  const bool any_length = schedule == "constant" || schedule == "step" || schedule == "paper";
  std::string differences;
  bool others = false;  // any difference other than the number of epochs
  each_option(options, [&](const std::string& name, auto& member, Decides decides, const char*) {
    if (decides == Decides::nothing) return;
    if (!named && !saved.contains(name) && command_line.count("--" + name) > 0) return;
    std::remove_reference_t<decltype(member)> was;
    try {
      recorded.at(name).get_to(was);
    } catch (const nlohmann::json::exception&) {
      fail(source, ": --", name, " has a value that this version of train does not know: ", recorded.at(name).dump());
    }
    if (command_line.count("--" + name) == 0) {
      member = was;
    } else if (member != was && !(name == "epochs" && any_length)) {
      others = others || name != "epochs";
      const nlohmann::ordered_json given = member;
      differences += concat(differences.empty() ? "" : ", ", "--", name, " ", given.dump(), " (was ",
                            recorded.at(name).dump(), ")");
    }
  });
  if (differences.empty()) return;
  require(others || !source.ends_with(".safetensors"), source, ": the learning rates of --schedule ", schedule,
          " depend on the number of epochs: ", differences,
          "; leave it out to resume the run, or start a new schedule from these weights: ", command_line.invoked_as(),
          " --init ", source, " --out FOLDER");
  fail(source, ": the run was started with different options: ", differences,
       "; leave them out to resume it, or start a new run with --out");
}

}  // namespace minception
