#include <minception/core/error.h>
#include <minception/data/registry.h>
#include <minception/examples/program.h>
#include <minception/examples/recipes.h>
#include <minception/examples/train_options.h>
#include <minception/models/registry.h>
#include <minception/training/schedule.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <type_traits>

namespace minception {
namespace {

enum class Decides : std::uint8_t {
  result,   ///< another value gives other numbers
  nothing,  ///< where files are, how often they are written
};

std::string recipe_list() {
  std::string list =
      "\nFor --data folder:PATH most defaults follow from the images: train prints them in one line.\n\nRecipes:\n";
  for (const Recipe& recipe : recipes()) {
    const std::string name = recipe.name;
    list += concat("  ", name, std::string(name.size() < 12 ? 12 - name.size() : 1, ' '), recipe.about, '\n');
  }
  return list;
}

/// Every option once: f(name, member, what it decides, help).
template <class Options, class F>
void each_option(Options& o, F&& f) {
  using enum Decides;
  f("recipe", o.recipe, result,
    "options that are known to work, by one of the names at the end; what is given beside it wins");
  f("model", o.model, result, "googlenet, alexnet, vgg11, nin and others: docs/models.md");
  f("data", o.data, result,
    "data set: fashion-mnist, mnist, cifar10, or folder:PATH with images in a folder per class (several: "
    "folder:PATH:PATH)");
  f("data-dir", o.data_dir, nothing,
    "folder or archive of the data set (default: where its package puts it): docs/data.md");
  f("folder-size", o.folder_size, result,
    "folder: size that images are loaded in, 96 or 96x64 (height x width; default: as --image-size)");
  f("labels", o.labels, result,
    "folder: table (CSV) of the images' paths and classes, in place of a folder per class: docs/data.md");
  f("resize", o.resize, result,
    "folder: images of other proportions: stretch, crop (the middle), or letterbox (borders)");
  f("ignore-orientation", o.ignore_orientation, result, "folder: do not turn images that say how the camera was held");
  f("background", o.background, result,
    "folder: behind transparent pixels and in borders: black, grey, white, or R,G,B from 0 to 255");
  f("validation-fraction", o.validation_fraction, result,
    "this part of the training images is not trained on but chooses the best epoch (0: the test images choose; default "
    "for folders without a folder val: 0.2)");
  f("test-fraction", o.test_fraction, result,
    "folder: this part of each class is for testing (default: the images in PATH/test)");
  f("split-seed", o.split_seed, result, "folder: which images --validation-fraction and --test-fraction take");
  f("image-size", o.image_size, result,
    "images are resized to this: 96, or 96x64 (height x width; default: the model's own: docs/models.md)");
  f("mean", o.mean, result, "subtracted from pixels in [0, 1]: one number, or one per channel");
  f("deviation", o.deviation, result, "pixels are divided by it after that");
  f("crop-padding", o.crop_padding, result, "random crops from images padded by so many pixels");
  f("flip", o.flip, result, "mirror half of the images");
  f("crop-area", o.crop_area, result, "show random parts of the images, of at least this part of their area");
  f("crop-aspect", o.crop_aspect, result, "stretched or squeezed by up to so much (4/3 for GoogLeNet: 1.3333)");
  f("brightness", o.brightness, result, "multiply images by a random number that is up to so far from 1");
  f("contrast", o.contrast, result, "the same for their contrast");
  f("saturation", o.saturation, result, "the same for the strength of their colours");
  f("epochs", o.epochs, result, "passes over the training images");
  f("batch-size", o.batch_size, result, "images per step");
  f("accumulate", o.accumulate, result, "batches whose gradients make one step, as if they were one batch");
  f("optimizer", o.optimizer, result, "sgd, adam, or adamw (weight decay apart from the gradient)");
  f("lr", o.learning_rate, result, "learning rate; the peak with --schedule one-cycle (adam and adamw: 0.001)");
  f("momentum", o.momentum, result, "momentum; the highest with --schedule one-cycle");
  f("lowest-momentum", o.lowest_momentum, result,
    "one-cycle: momentum at the peak of the learning rate (default: no cycle)");
  f("nesterov", o.nesterov, result, "Nesterov momentum");
  f("beta1", o.beta1, result, "adam, adamw: decay of the gradients' average; cycled in place of momentum");
  f("beta2", o.beta2, result, "adam, adamw: decay of the average of their squares");
  f("epsilon", o.epsilon, result, "adam, adamw: added to the root of that");
  f("weight-decay", o.weight_decay, result, "added to the gradient, times the weight; adamw: taken from the weight");
  f("clip-norm", o.clip_norm, result, "scale all gradients together to at most this norm (0: leave them)");
  f("ema", o.ema, result, "test and export moving averages of the weights, of this decay, such as 0.999 (0: none)");
  f("label-smoothing", o.label_smoothing, result, "part of the target spread over all classes");
  f("schedule", o.schedule, result,
    "constant, step, cosine, one-cycle, or paper (4 % less every 8 epochs, as for the first GoogLeNet)");
  f("warmup-epochs", o.warmup_epochs, result, "epochs before any schedule in which the learning rate rises from 0");
  f("one-cycle-rise", o.one_cycle_rise, result, "one-cycle: part of all steps in which the learning rate rises");
  f("step-epochs", o.step_epochs, result, "step: epochs between two multiplications");
  f("step-factor", o.step_factor, result, "step: what the learning rate is multiplied by");
  f("lowest-lr", o.lowest_learning_rate, result, "cosine: where the learning rate ends");
  f("patience", o.patience, result,
    "end when the validation accuracy (or the test's, without a validation part) has not been better for so many "
    "epochs "
    "(0: never)");
  f("initialization", o.initialization, result, "xavier-uniform, kaiming-normal or kaiming-normal-fan-out");
  f("no-transform-input", o.no_transform_input, result,
    "googlenet_torchvision: as torchvision's transform_input=False (docs/models.md)");
  f("init", o.init_file, result,
    "start from the weights in this file of a run, and with its model, image size, mean and deviation; or with --model "
    "from a state dict (docs/models.md)");
  f("reset-head", o.reset_head, result, "with --init: all but the last layer, which is new and has so many classes");
  f("freeze", o.freeze, result, "leave parameters as they are whose names begin so; several, or once for each");
  f("device", o.device, result, "cpu, cuda, auto (cuda where a GPU answers, else cpu), or reference (slow loops)");
  f("compute", o.compute, result, "f32; bf16, with f32 weights; on cuda also tf32");
  f("kernels", o.kernels, result, "cuda: ours, or vendor (those of cuDNN and cuBLAS)");
  f("threads", o.threads, result, "threads (0: all cores)");
  f("seed", o.seed, result, "of initialisation, order, augmentation and dropout");
  f("hold-out", o.hold_out, result,
    "as --validation-fraction, a number of images: N of the training images, evenly spaced");
  f("limit-train", o.limit_train, result, "use the first N training images (0: all)");
  f("limit-test", o.limit_test, result, "use the first N test images, and of validation images (0: all)");
  f("no-shuffle", o.no_shuffle, result, "take the images in the order of the file");
  f("balance-classes", o.balance_classes, result,
    "show each class as often as the largest one: epochs are longer, small classes come again in them");
  f("log-every", o.log_every, result, "steps between two lines of metrics.jsonl");
  f("stream", o.stream, nothing, "keep the images in host memory; threads bring them batch by batch");
  f("cache", o.cache, nothing,
    "folder: keep the resized pixels in this folder and read them from there; for many images, or large ones");
  f("no-graph", o.no_graph, nothing, "cuda: start each kernel by itself instead of replaying whole steps");
  f("check-nan", o.check_nan, nothing, "look at everything that each step writes (slow), and name the first bad layer");
  f("profile", o.profile, nothing, "do not train: show where the time of a step goes, and write profile.json");
  f("profile-steps", o.profile_steps, nothing,
    "with --profile: steps to time (0: 10, or 1 where kernels are emulated)");
  f("loader-threads", o.loader_threads, nothing, "with --stream or --cache: threads that read ahead");
  f("checkpoint-every", o.checkpoint_every, nothing,
    "steps between checkpoints, besides one after each epoch (0: none)");
  f("keep-checkpoints", o.keep_checkpoints, nothing, "how many checkpoints stay");
  f("tensorboard", o.tensorboard, nothing, "write event files for TensorBoard, too");
}

struct Group {
  const char* heading;
  std::vector<const char*> options;
};

const Group kGroups[] = {
    {"What to train, and where it goes", {"out", "resume", "overwrite", "config", "recipe", "model", "epochs", "seed"}},
    {"Images",
     {"data", "data-dir", "labels", "folder-size", "resize", "ignore-orientation", "background", "validation-fraction",
      "hold-out", "test-fraction", "split-seed", "limit-train", "limit-test", "image-size", "mean", "deviation"}},
    {"Changes to training images",
     {"crop-padding", "flip", "crop-area", "crop-aspect", "brightness", "contrast", "saturation", "no-shuffle",
      "balance-classes"}},
    {"Steps",
     {"batch-size", "accumulate", "optimizer", "lr", "momentum", "lowest-momentum", "nesterov", "beta1", "beta2",
      "epsilon", "weight-decay", "clip-norm", "ema", "label-smoothing"}},
    {"Learning rate over time",
     {"schedule", "warmup-epochs", "one-cycle-rise", "step-epochs", "step-factor", "lowest-lr", "patience"}},
    {"First weights", {"initialization", "init", "reset-head", "freeze", "no-transform-input"}},
    {"Device", {"device", "compute", "kernels", "threads", "stream", "cache", "loader-threads", "no-graph"}},
    {"Records",
     {"log-every", "checkpoint-every", "keep-checkpoints", "tensorboard", "check-nan", "profile", "profile-steps"}}};

/// Of Adam. Less is lost beside a second moment of 0, and 0 / 0 spoils weights that have had no gradient yet.
constexpr double kSmallestEpsilon = 1e-30;

void check_count(const char* option, std::int64_t value, std::int64_t least, std::int64_t most) {
  require(value >= least && value <= most, option, " ", value, ": must be ", least, " to ", most);
}

/// A number that is at least `least`, and finite also as a float.
void check_number(const char* option, double value, double least) {
  require(std::isfinite(static_cast<float>(value)) && value >= least, option, " ", value, ": must be a finite number, ",
          least, " or more");
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
  command_line.option("--lowest-momentum").default_text("");
  command_line.option("--recipe").default_text("");
  command_line.option("--folder-size").default_text("");
  command_line.option("--labels").default_text("");
  command_line.option("--cache").default_text("");
  command_line.option("--freeze").default_text("");
  command_line.option("--threads").default_text("0");
  command_line.footer(recipe_list());
  command_line.add_option("--out", options.out, "folder of the run, for instance runs/first");
  command_line.add_option("--resume", options.resume, "go on with the run in this folder, by its own options");
  command_line.add_config_option("--config",
                                 "JSON with options, such as config.json of a run; what the command line says wins");
  command_line.add_flag("--overwrite", options.overwrite, "replace a run that is in the folder of --out");
  for (const Group& group : kGroups) {
    for (const char* name : group.options) command_line.option(concat("--", name)).group(group.heading);
  }
}

namespace {

/// Options of a folder's recipe that were chosen for its optimizer: another optimizer, or what belongs to SGD, drops them.
constexpr const char* kOptimizerOptions[] = {"optimizer", "lr", "weight-decay", "schedule"};
constexpr const char* kSgdOptions[] = {"momentum", "nesterov", "lowest-momentum"};

/// Options that weights of --init bring with them.
constexpr const char* kInitOptions[] = {"model", "image-size", "initialization"};

/// The parts of a folder of images: validation images unless asked otherwise, and something to test on in any case. Returns
/// the options that were set.
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
    return nlohmann::ordered_json::object();  // reported when the images are loaded
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
  if (given("crop-area") || given("crop-aspect")) recipe.erase("crop-padding");
  std::string line;
  for (const auto& [name, value] : recipe.items()) {
    if (given(name)) continue;
    line += " --" + name;
    if (!value.is_boolean()) line += " " + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  std::printf("defaults for %lld training images of %lld classes:%s\n", static_cast<long long>(folder.train_images),
              static_cast<long long>(folder.classes), line.c_str());
  if (other_optimizer) {
    std::printf("the optimizer is not AdamW: its learning rate, weight decay and schedule are no defaults here\n");
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
  // The parser turns numbers that are too large into the largest it has.
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() - 1;
  require(!o.out.empty() || !o.resume.empty(),
          "--out is required: the folder of the run, for instance --out runs/first");
  require(o.out.empty() || o.resume.empty(),
          "--out and --resume exclude each other: a run is resumed in its own folder");
  require(o.resume.empty() || !o.overwrite, "--resume and --overwrite exclude each other");
  for (const auto& [option, fraction] :
       {std::pair{"--validation-fraction", o.validation_fraction}, std::pair{"--test-fraction", o.test_fraction}}) {
    require(fraction >= 0.0 && fraction < 1.0, option, " ", fraction, ": must be 0 or more and below 1");
  }
  require(o.validation_fraction == 0.0 || o.hold_out == 0,
          "--validation-fraction and --hold-out exclude each other: both say how many images are for validation");
  check_count("--split-seed", o.split_seed, 0, kMost);
  (void)image_folder_options(o);
  // (the data of a run that is resumed are known later, and compared with what is given)
  const TrainOptions plain;
  const std::pair<const char*, bool> for_folders[] = {{"--folder-size", !o.folder_size.empty()},
                                                      {"--labels", !o.labels.empty()},
                                                      {"--cache", !o.cache.empty()},
                                                      {"--test-fraction", o.test_fraction != 0.0},
                                                      {"--resize", o.resize != plain.resize},
                                                      {"--background", o.background != plain.background},
                                                      {"--ignore-orientation", o.ignore_orientation}};
  for (const auto& [option, is_set] : for_folders) {
    require(!is_set || !o.resume.empty() || is_image_folder(o.data), option, " is for --data folder:PATH, not for ",
            o.data);
  }
  check_count("--epochs", o.epochs, 1, 1'000'000);
  check_count("--batch-size", o.batch_size, 1, 1'000'000);
  check_count("--accumulate", o.accumulate, 1, 1'000'000);
  check_number("--lr", o.learning_rate, 0.0);
  const bool adam = o.optimizer == "adam" || o.optimizer == "adamw";
  require(adam || o.optimizer == "sgd", "--optimizer ", o.optimizer, ": known are sgd, adam, adamw");
  // (with --resume the optimizer may be the run's, known later, and what is given is compared with what the run has)
  const bool resumes = !o.resume.empty();
  require(!adam || o.momentum == 0.0, "--momentum belongs to --optimizer sgd; ", o.optimizer, " takes --beta1");
  require(!adam || !o.nesterov, "--nesterov belongs to --optimizer sgd");
  require(o.beta1 >= 0.0 && o.beta1 < 1.0, "--beta1 ", o.beta1, ": must be in [0, 1)");
  require(o.beta2 >= 0.0 && o.beta2 < 1.0, "--beta2 ", o.beta2, ": must be in [0, 1)");
  require(std::isfinite(o.epsilon) && o.epsilon >= kSmallestEpsilon, "--epsilon ", o.epsilon,
          ": must be a finite number, ", kSmallestEpsilon, " or more");
  require(adam || resumes || (o.beta1 == plain.beta1 && o.beta2 == plain.beta2 && o.epsilon == plain.epsilon),
          "--beta1, --beta2 and --epsilon need --optimizer adam or adamw");
  require(o.momentum >= 0.0 && o.momentum < 1.0, "--momentum ", o.momentum, ": must be in [0, 1)");
  const double momentum = adam ? o.beta1 : o.momentum;
  require(o.lowest_momentum == -1.0 || (o.lowest_momentum >= 0.0 && o.lowest_momentum <= momentum),
          "--lowest-momentum ", o.lowest_momentum, ": must be between 0 and ", adam ? "--beta1" : "--momentum", ", ",
          momentum);
  require(o.lowest_momentum == -1.0 || o.schedule == "one-cycle", "--lowest-momentum needs --schedule one-cycle");
  require(!o.nesterov || o.momentum > 0.0, "--nesterov needs a --momentum above 0");
  check_number("--weight-decay", o.weight_decay, 0.0);
  check_number("--clip-norm", o.clip_norm, 0.0);
  require(o.ema >= 0.0 && o.ema < 1.0, "--ema ", o.ema, ": must be in [0, 1)");
  check_count("--reset-head", o.reset_head, 0, 1'000'000);
  require(o.reset_head == 0 || resumes || !o.init_file.empty(),
          "--reset-head needs --init, a file with the other weights");
  for (const std::string& prefix : o.freeze) {
    require(!prefix.empty(), "--freeze '': must be the beginning of a name, for instance inception3a");
  }
  require(o.label_smoothing >= 0.0 && o.label_smoothing < 1.0, "--label-smoothing ", o.label_smoothing,
          ": must be in [0, 1)");
  if (o.schedule != "paper") parse_schedule(o.schedule);
  check_number("--warmup-epochs", o.warmup_epochs, 0.0);
  require(o.one_cycle_rise > 0.0 && o.one_cycle_rise < 1.0, "--one-cycle-rise ", o.one_cycle_rise,
          ": must be between 0 and 1");
  require(std::isfinite(o.step_epochs) && o.step_epochs > 0.0, "--step-epochs ", o.step_epochs, ": must be above 0");
  require(o.step_factor > 0.0 && o.step_factor <= 1.0, "--step-factor ", o.step_factor, ": must be in (0, 1]");
  check_number("--lowest-lr", o.lowest_learning_rate, 0.0);
  for (const double mean : o.mean) require(mean >= 0.0 && mean <= 1.0, "--mean ", mean, ": must be in [0, 1]");
  for (const double deviation : o.deviation) {
    require(deviation > 0.0 && std::isfinite(static_cast<float>(1.0 / deviation)), "--deviation ", deviation,
            ": must be above 0");
  }
  check_count("--crop-padding", o.crop_padding, 0, 10'000);
  require(o.crop_area > 0.0 && o.crop_area <= 1.0, "--crop-area ", o.crop_area, ": must be in (0, 1]");
  require(o.crop_aspect >= 1.0 && o.crop_aspect <= 100.0, "--crop-aspect ", o.crop_aspect, ": must be 1 to 100");
  require(o.crop_padding == 0 || (o.crop_area == 1.0 && o.crop_aspect == 1.0),
          "--crop-padding and --crop-area or --crop-aspect exclude each other");
  for (const auto& [option, range] : {std::pair{"--brightness", o.brightness}, std::pair{"--contrast", o.contrast},
                                      std::pair{"--saturation", o.saturation}}) {
    require(range >= 0.0 && range <= 1.0, option, " ", range, ": must be 0 to 1");
  }
  require(o.compute == "f32" || o.compute == "tf32" || o.compute == "bf16", "--compute ", o.compute,
          ": known are f32, tf32, bf16");
  require(o.compute != "tf32" || o.device == "cuda", "--compute tf32 needs --device cuda");
  require(o.compute != "bf16" || o.device != "reference", "--compute bf16 needs --device cpu or cuda");
  check_kernels(o.kernels, o.device);
  require(o.threads >= 0, "--threads ", o.threads, ": must be 0 or more");
  check_count("--seed", o.seed, 0, kMost);
  check_count("--hold-out", o.hold_out, 0, 1'000'000'000);
  check_count("--limit-train", o.limit_train, 0, kMost);
  check_count("--limit-test", o.limit_test, 0, kMost);
  check_count("--patience", o.patience, 0, 1'000'000);
  check_count("--log-every", o.log_every, 1, 1'000'000);
  require(!o.profile || o.resume.empty(), "--profile and --resume exclude each other: profile in a folder of its own");
  check_count("--profile-steps", o.profile_steps, 0, 1'000'000);
  check_count("--loader-threads", o.loader_threads, 1, 1'000);
  check_count("--checkpoint-every", o.checkpoint_every, 0, kMost);
  check_count("--keep-checkpoints", o.keep_checkpoints, 1, 1'000'000);
}

ImageFolderOptions image_folder_options(const TrainOptions& o) {
  const auto parsed = [](const char* option, const std::string& text, auto* parse) {
    try {
      return parse(text);
    } catch (const Error& error) {
      fail(option, ": ", error.what());
    }
  };
  return {.size = o.folder_size.empty() ? Shape() : parse_image_size(o.folder_size),
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

void complete_from(const CommandLine& command_line, TrainOptions& options, const nlohmann::ordered_json& recorded,
                   const std::string& source) {
  const std::string schedule = recorded.value("schedule", "");
  const bool any_length = schedule == "constant" || schedule == "step" || schedule == "paper";
  std::string differences;
  bool others = false;  // than the number of epochs
  each_option(options, [&](const std::string& name, auto& member, Decides decides, const char*) {
    if (decides == Decides::nothing) return;
    std::remove_reference_t<decltype(member)> was;
    try {
      recorded.at(name).get_to(was);
    } catch (const nlohmann::json::exception&) {
      fail(source, ": does not say --", name, ": another version of train made this run, and has to resume it");
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
          "; leave it out to resume the run, or start a new schedule from these weights: train --init ", source,
          " --out FOLDER");
  fail(source, ": the run was started with other options: ", differences,
       "; leave them out to resume it, or start a new run with --out");
}

}  // namespace minception
