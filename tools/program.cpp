#include "tools/program.h"
#include "core/error.h"
#include "training/progress.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <optional>

namespace minception {
namespace {

/// Any thread may run the handler.
std::atomic<int> caught_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free);

}  // namespace

void handle_signal(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {};
  if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

void ignore_output_signals() {
  for (const int signal : {SIGPIPE, SIGXFSZ}) handle_signal(signal, SIG_IGN, 0);
}

void stop_between_steps() {
  const auto stop = [](int signal) { caught_signal = signal; };
  constexpr int kOnce = static_cast<int>(SA_RESETHAND);
  handle_signal(SIGINT, stop, SA_RESTART | kOnce);
  handle_signal(SIGTERM, stop, SA_RESTART | kOnce);
  handle_signal(SIGHUP, stop, SA_RESTART);
}

int stop_signal() { return caught_signal; }

Shape parse_image_size(const std::string& text) {
  const Shape shape = parse_shape(text);
  require(shape.rank() <= 2, "'", text, "' is not an image size: use 96, or 96x64 for height x width");
  return shape.rank() == 1 ? Shape{shape[0], shape[0]} : shape;
}

std::string size_text(const Shape& image) {
  return image[1] == image[2] ? concat(image[1]) : concat(image[1], "x", image[2]);
}

void DeviceOptions::declare(CommandLine& command_line) {
  command_line.add_option("--device", device,
                          "cpu, cuda, auto (cuda if a GPU is available, else cpu), or reference (slow loops)");
  command_line.add_option("--kernels", kernels, "cuda: ours, or vendor (cuDNN and cuBLAS)");
  command_line.add_option("--threads", threads, "threads (0: all cores)");
}

void DescribedWeights::declare(CommandLine& command_line) {
  command_line
      .add_option("--model", model,
                  "model of weights without metadata, such as a PyTorch state dict in a safetensors file, for instance "
                  "googlenet_torchvision")
      .default_text("");
  command_line.add_option("--image-size", image_size, "with --model: network input size (default: the model's own)")
      .default_text("");
  command_line.add_option("--resize", resize,
                          "with --model: resize mode for images of other proportions: stretch, crop or letterbox");
  command_line
      .add_option("--mean", mean,
                  "with --model: mean to subtract from pixels in [0, 1]: one number, or one per channel")
      .list();
  command_line.add_earlier_name("--deviation", "--std");
  command_line.add_option("--std", deviation, "with --model: divisor of the pixels after --mean is subtracted").list();
  command_line.add_flag(
      "--no-transform-input", no_transform_input,
      "with --model googlenet_torchvision: same as torchvision's transform_input=False (docs/models.md)");
}

WeightsDescription DescribedWeights::description() const {
  if (model.empty()) {
    require(image_size.empty() && mean == std::vector{0.0} && deviation == std::vector{1.0} && resize == "stretch" &&
                !no_transform_input,
            "--image-size, --resize, --mean, --std and --no-transform-input need --model: other weights record these "
            "settings");
    return {};
  }
  for (const double m : mean) require(m >= 0.0 && m <= 1.0, "--mean ", m, ": must be in [0, 1]");
  for (const double d : deviation) {
    require(d > 0.0 && std::isfinite(static_cast<float>(1.0 / d)), "--std ", d, ": must be above 0");
  }
  return {.model = model,
          .size = image_size.empty() ? Shape{} : parse_image_size(image_size),
          .image_options = {.resize = parse_resize(resize)},
          .normalization = {mean, deviation},
          .transform_input = !no_transform_input};
}

std::array<std::uint8_t, 3> parse_colour(const std::string& text) {
  if (text == "black") return {0, 0, 0};
  if (text == "grey") return {128, 128, 128};
  if (text == "white") return {255, 255, 255};
  std::array<int, 3> parts{};
  int end = 0;
  const bool read = std::sscanf(text.c_str(), "%3d,%3d,%3d%n", &parts[0], &parts[1], &parts[2], &end) == 3 &&
                    static_cast<std::size_t>(end) == text.size();
  require(read && std::all_of(parts.begin(), parts.end(), [](int part) { return part >= 0 && part <= 255; }), "'", text,
          "' is not a colour: use black, grey, white, or R,G,B with numbers from 0 to 255");
  return {static_cast<std::uint8_t>(parts[0]), static_cast<std::uint8_t>(parts[1]),
          static_cast<std::uint8_t>(parts[2])};
}

std::function<void(std::int64_t, std::int64_t)> loading_bar() {
  return [bar = std::make_shared<std::optional<Progress>>()](std::int64_t done, std::int64_t total) {
    if (!*bar) bar->emplace("loading", total, "images");
    (*bar)->update(done);
    if (done == total) (*bar)->clear();
  };
}

void keep_first(ImageDataset& dataset, std::int64_t count, const char* option) {
  require(count >= 0, option, " ", count, ": must be 0 or more");
  if (count == 0) return;
  require(count <= dataset.size(), option, " ", count, ": there are only ", dataset.size(), " images");
  dataset.labels.resize(static_cast<std::size_t>(count));
  dataset.pixels.resize(static_cast<std::size_t>(count * dataset.image.elements()));
}

}  // namespace minception
