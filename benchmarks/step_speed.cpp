/// Speed of whole training steps and inferences of a model: from gathering a batch out of images stored on the device
/// as bytes, through resize, forward and backward pass to the optimizer, as in `train`. Measured by the host's clock
/// around many steps, with the device synchronised at both ends; the median over several repetitions.
///
/// With --turns each repetition waits for a line on stdin and is reported at once as "repetition SECONDS"; "ready
/// STEPS" is printed after the warm-up. benchmarks/compare_pytorch.py uses this to alternate several programs.

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "data/registry.h"
#include "models/registry.h"
#include "studies/measure.h"
#include "tools/program.h"
#include "training/batch_source.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

using namespace minception;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string model = "googlenet";
  std::string image_size = "96";
  std::int64_t channels = 1;
  std::int64_t classes = 10;
  std::int64_t batch = 128;
  std::string mode = "train";
  std::string device = "auto";
  std::string compute = "f32";
  std::string kernels = "ours";
  int threads = 0;
  bool graph = true;
  std::string data = "synthetic";
  std::string data_dir;
  std::int64_t images = 10'000;
  double learning_rate = 0.01;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0.0;
  std::int64_t warmup = 3;
  std::int64_t steps = 0;
  double seconds = 1.0;
  std::int64_t repetitions = 5;
  bool turns = false;
  std::string json;
};

void declare(CommandLine& command_line, Options& o) {
  command_line.add_option("--model", o.model, "model name: docs/models.md");
  command_line.add_option("--image-size", o.image_size, "network input size: 96, or 96x64 (height x width)");
  command_line.add_option("--channels", o.channels, "channels of synthetic images").range(1, 1024);
  command_line.add_option("--classes", o.classes, "classes of synthetic images").range(1, 1'000'000);
  command_line.add_option("--batch", o.batch, "images per step").range(1, 1'000'000);
  command_line.add_option("--mode", o.mode, "step to time: train or infer").one_of({"train", "infer"});
  command_line.add_option("--device", o.device, "cpu, cuda, auto (cuda if a GPU is available, else cpu), or reference");
  command_line.add_option("--compute", o.compute, "f32, tf32 or bf16").one_of({"f32", "tf32", "bf16"});
  command_line.add_option("--kernels", o.kernels, "cuda: ours, or vendor (cuDNN and cuBLAS)");
  command_line.add_option("--threads", o.threads, "cpu: threads (0: all cores)").default_text("0");
  command_line.add_flag("--graph,!--no-graph", o.graph,
                        "cuda: replay training steps as CUDA graphs, or launch each kernel separately");
  command_line.add_option(
      "--data", o.data, "synthetic (random 28x28 images), or the training images of a data set such as fashion-mnist");
  command_line.add_option("--data-dir", o.data_dir, "folder of the data set");
  command_line.add_option("--images", o.images, "number of synthetic images").range(1, 10'000'000);
  command_line.add_option("--lr", o.learning_rate, "learning rate");
  command_line.add_option("--momentum", o.momentum, "momentum of SGD (0: none)").range(0.0, 0.999);
  command_line.add_flag("--nesterov", o.nesterov, "Nesterov momentum");
  command_line.add_option("--weight-decay", o.weight_decay, "L2 penalty on weights");
  command_line
      .add_option("--warmup", o.warmup, "minimum warm-up steps before timing; warm-up lasts at least half of --seconds")
      .range(2, 1'000'000);
  command_line.add_option("--steps", o.steps, "steps per repetition (0: derived from --seconds)").range(0, 1'000'000);
  command_line.add_option("--seconds", o.seconds, "approximate duration of a repetition").range(0.001, 600.0);
  command_line.add_option("--repetitions", o.repetitions, "number of repetitions; the median is reported")
      .range(1, 10'000);
  command_line.add_flag("--turns", o.turns, "wait for a line on stdin before each repetition; exit at end of input");
  command_line.add_option("--json", o.json, "also write the result to this file");
}

/// Peak resident memory of this process in bytes; 0 if unknown.
std::size_t host_peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

struct Images {
  Shape image;  ///< (C, h, w)
  std::int64_t classes = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
};

Images load_images(const Options& o) {
  if (o.data != "synthetic") {
    Dataset dataset = load_dataset(o.data, o.data_dir);
    return {.image = dataset.train.image,
            .classes = static_cast<std::int64_t>(dataset.train.class_names.size()),
            .pixels = std::move(dataset.train.pixels),
            .labels = std::move(dataset.train.labels)};
  }
  Images images = {.image = {o.channels, 28, 28}, .classes = o.classes};
  images.pixels.resize(static_cast<std::size_t>(o.images * images.image.elements()));
  images.labels.resize(static_cast<std::size_t>(o.images));
  const Random pixel{1, 1}, label{1, 2};
  for (std::size_t i = 0; i < images.pixels.size(); ++i) images.pixels[i] = static_cast<std::uint8_t>(pixel.bits(i));
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    images.labels[i] = static_cast<std::int32_t>(label.bits(i) % static_cast<std::uint64_t>(o.classes));
  }
  return images;
}

NetworkOptions network_options(const Options& o, const Shape& image) {
  return {
      .max_batch = o.batch,
      .training = o.mode == "train",
      .compute = o.compute == "bf16" ? DType::bf16 : DType::f32,
      .optimizer =
          Sgd{.lr = o.learning_rate, .momentum = o.momentum, .nesterov = o.nesterov, .weight_decay = o.weight_decay},
      .dataset_image = image,
      .graph_capture = o.graph};
}

/// Consecutive steps, each on the next full batch of a shuffled data set.
class Work {
 public:
  Work(Network& network, const ResidentDataset& dataset, const Options& o)
      : network_(network), feed_(dataset), o_(o), mode_(o.mode == "train" ? Mode::training : Mode::inference) {
    require(feed_.size() >= o.batch, "--batch ", o.batch, ": there are only ", feed_.size(), " images");
    begin_epoch();
  }

  /// Runs `count` steps and returns the seconds.
  double run(std::int64_t count) {
    network_.backend().synchronize();
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < count; ++i) step();
    network_.backend().synchronize();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  void begin_epoch() {
    position_ = 0;
    feed_.start(network_, mode_, {.batch_size = o_.batch, .shuffle = true, .seed = 1, .epoch = ++epoch_});
  }
  void step() {
    if (position_ + o_.batch > feed_.size()) begin_epoch();  // skips the partial batch at the end of an epoch
    feed_.next(o_.batch);
    if (mode_ == Mode::training) {
      network_.set_control(epoch_, position_, static_cast<float>(o_.learning_rate), static_cast<float>(o_.momentum));
      network_.train_step(o_.batch);
    } else {
      network_.infer(o_.batch);
    }
    position_ += o_.batch;
  }

  Network& network_;
  ResidentBatchSource feed_;
  const Options& o_;
  Mode mode_;
  std::int64_t epoch_ = 0, position_ = 0;
};

Json spread(const std::vector<double>& values) {
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  return {{"median", median(values)}, {"min", *min}, {"max", *max}};
}

void print(const char* what, const Json& spread) {
  std::printf("  %-10s median %10.2f   min %10.2f   max %10.2f\n", what, spread["median"].get<double>(),
              spread["min"].get<double>(), spread["max"].get<double>());
}

void measure(Options o) {
  const DeviceChoice device = choose_device(o.device);
  o.device = device.name;
  require(o.compute != "tf32" || o.device == "cuda", "--compute tf32 needs --device cuda");
  require(!o.nesterov || o.momentum > 0.0, "--nesterov needs a --momentum above 0");
  const Shape size = parse_image_size(o.image_size);
  const std::unique_ptr<Backend> backend = make_device(o.device, o.threads, o.compute == "tf32", o.kernels);

  Images images = load_images(o);
  Network network(
      make_model({.name = o.model, .input = {images.image[0], size[0], size[1]}, .classes = images.classes}), *backend,
      network_options(o, images.image));
  network.initialize(Initialization::xavier_uniform, 1);
  const ResidentDataset dataset = make_resident(*backend, images.image, images.pixels, images.labels);
  images.pixels = {};
  Work work(network, dataset, o);

  std::int64_t warmup = o.warmup - 1;
  double warm_seconds = work.run(warmup), step_seconds = 0.0;
  do {
    step_seconds = work.run(1);
    warm_seconds += step_seconds;
    ++warmup;
  } while (warm_seconds < o.seconds / 2);
  const std::int64_t steps =
      o.steps > 0 ? o.steps : std::clamp<std::int64_t>(std::llround(o.seconds / step_seconds), 1, 1'000'000);
  network.reset_metrics();

  if (o.turns) std::printf("ready %lld\n", static_cast<long long>(steps));
  std::vector<double> seconds, rates, milliseconds;
  for (std::int64_t i = 0; o.turns || i < o.repetitions; ++i) {
    std::string line;
    if (o.turns && !std::getline(std::cin, line)) break;
    seconds.push_back(work.run(steps));
    rates.push_back(static_cast<double>(steps * o.batch) / seconds.back());
    milliseconds.push_back(1e3 * seconds.back() / static_cast<double>(steps));
    if (o.turns) std::printf("repetition %.9g\n", seconds.back());
  }
  require(!seconds.empty(), "stdin ended before the first repetition: nothing was measured");
  const double loss = network.metrics().loss / static_cast<double>(steps * o.batch * std::ssize(seconds));
  require(std::isfinite(loss), "the loss is no longer finite, so the timing is not valid; try a lower --lr");

  const bool replayed = o.mode == "train" && network.replays(o.batch);
  const Json result = {{"what", "step_speed"},
                       {"model", o.model},
                       {"input", {images.image[0], size[0], size[1]}},
                       {"parameters", network.parameters().trained_values()},
                       {"mode", o.mode},
                       {"batch", o.batch},
                       {"compute", o.compute},
                       {"device", o.device},
                       {"device_name", backend->description()},
                       {"emulated", o.device == "cuda" && cuda_is_emulated()},
                       {"graph", replayed},
                       {"threads", o.threads},
                       {"data", o.data},
                       {"momentum", o.momentum},
                       {"nesterov", o.nesterov},
                       {"weight_decay", o.weight_decay},
                       {"images_per_s", spread(rates)},
                       {"ms_per_step", spread(milliseconds)},
                       {"repetitions", seconds.size()},
                       {"steps_per_repetition", steps},
                       {"warmup_steps", warmup},
                       {"repetition_seconds", seconds},
                       {"memory", {{"plan_bytes", network.memory().total}, {"host_peak_bytes", host_peak_bytes()}}},
                       {"loss", loss},
                       {"processor", processor_name()},
                       {"compiler", compiler_name()}};
  if (!o.json.empty()) {
    const std::string text = result.dump(1) + "\n";
    write_file_atomically(o.json, std::as_bytes(std::span<const char>(text.data(), text.size())));
  }
  std::printf("%s %lldx%lldx%lld, %s, batch %lld, %s%s on %s: %s\n", o.model.c_str(),
              static_cast<long long>(images.image[0]), static_cast<long long>(size[0]), static_cast<long long>(size[1]),
              o.mode.c_str(), static_cast<long long>(o.batch), o.compute.c_str(), replayed ? ", replayed" : "",
              o.device.c_str(), backend->description().c_str());
  print("images/s", result["images_per_s"]);
  print("ms/step", result["ms_per_step"]);
  std::printf("  %zu repetitions of %lld steps after %lld warm-up steps; mean loss %.4f\n", seconds.size(),
              static_cast<long long>(steps), static_cast<long long>(warmup), loss);
  std::printf("  memory     planned %.1f MiB; process peak %.1f MiB\n",
              static_cast<double>(network.memory().total) / (1 << 20),
              static_cast<double>(host_peak_bytes()) / (1 << 20));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Times whole training steps or inferences of a model.", "step_speed");
  declare(command_line, options);
  ignore_output_signals();
  return command_line.run(argc, argv, [&] { measure(options); });
}
