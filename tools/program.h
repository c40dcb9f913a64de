#pragma once
/// Shared by the tools besides the command line: signals, devices and common options.

#include "core/shape.h"
#include "data/image_dataset.h"
#include "kernels/backend.h"
#include "models/weights_file.h"
#include "tools/command_line.h"
#include "training/environment.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace minception {

/// Installs `handler`, unless the process was started with the signal ignored (nohup: SIGHUP; background jobs of
/// scripts: SIGINT), in which case it stays ignored. All signal handlers of the tools are installed here.
void handle_signal(int signal, void (*handler)(int), int flags);

/// For tools that write files: ignores SIGPIPE and SIGXFSZ, so that a closed pipe or a file beyond the size limit is a
/// write error instead of ending the process.
void ignore_output_signals();

/// After this call the first SIGINT, SIGTERM or SIGHUP only sets `stop_signal`, which is polled between steps. A second
/// SIGINT or SIGTERM ends the process at once; SIGHUP may repeat, since a closing terminal sends it more than once.
void stop_between_steps();
/// The signal that requested a stop, or 0.
int stop_signal();

/// Parses "black", "grey", "white" or "R,G,B" with numbers from 0 to 255. Throws Error for any other text.
std::array<std::uint8_t, 3> parse_colour(const std::string& text);

/// Parses "96" or "96x64" into (H, W).
Shape parse_image_size(const std::string& text);
/// Size of an image (C, H, W) as "96" or "96x64".
std::string size_text(const Shape& image);

/// The options --device, --kernels and --threads, and the backend that they select.
struct DeviceOptions {
  std::string device = "auto", kernels = "ours";
  int threads = 0;

  void declare(CommandLine& command_line);
  std::unique_ptr<Backend> make() const { return make_device(choose_device(device).name, threads, false, kernels); }
};

/// Options that describe weights without metadata, such as a PyTorch state dict: --model, --image-size, --mean, --std,
/// --resize and --no-transform-input. Throws Error, naming the option, if one is wrong or given without --model.
struct DescribedWeights {
  std::string model, image_size;
  std::string resize = "stretch";
  std::vector<double> mean = {0.0}, deviation = {1.0};
  bool no_transform_input = false;

  void declare(CommandLine& command_line);
  WeightsDescription description() const;
};

/// Progress bar on stderr for ImageFolderOptions::progress.
std::function<void(std::int64_t done, std::int64_t total)> loading_bar();

/// Keeps the first `count` samples (0: all). Throws Error, naming `option`, if there are fewer.
void keep_first(ImageDataset& dataset, std::int64_t count, const char* option);

}  // namespace minception
