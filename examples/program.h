#pragma once
/// What the programs share besides the command line: signals, devices, and options of several of them.

#include <minception/core/shape.h>
#include <minception/data/image_dataset.h>
#include <minception/examples/command_line.h>
#include <minception/kernels/backend.h>
#include <minception/models/weights_file.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace minception {

/// Installs `handler`, unless the process was started ignoring the signal (nohup: SIGHUP; background jobs of scripts:
/// SIGINT): then it is still ignored. All handlers of the programs are installed here.
void handle_signal(int signal, void (*handler)(int), int flags);

/// For programs that leave files: a pipe closed by its reader and a file beyond the limit on sizes are errors of the
/// write, where SIGPIPE and SIGXFSZ would end the process.
void ignore_output_signals();

/// From now on the first Ctrl-C (SIGINT, SIGTERM, SIGHUP) only sets `stop_signal`, which the work looks at between steps; a
/// second SIGINT or SIGTERM ends the program at once. A closed terminal sends SIGHUP more than once.
void stop_between_steps();
/// 0, or the signal that asks the work to end.
int stop_signal();

/// What a result depends on besides the options: "AMD EPYC 9654 96-Core Processor", "GCC 12.2.0". The first is "unknown"
/// where the system does not say.
std::string processor_name();
std::string compiler_name();

/// "black", "grey", "white" or "R,G,B" with numbers from 0 to 255. Throws Error for another text.
std::array<std::uint8_t, 3> parse_colour(const std::string& text);

/// "96" or "96x64" as (H, W).
Shape parse_image_size(const std::string& text);
/// "96" or "96x64", of an image (C, H, W).
std::string size_text(const Shape& image);

/// What --device auto stands for on this machine: cuda where a GPU answers, else cpu, and why; other names stand for
/// themselves.
struct DeviceChoice {
  std::string name;
  std::string why;  ///< "" unless cpu was chosen for lack of a GPU
};
DeviceChoice choose_device(const std::string& device);

/// Throws Error unless `kernels`, from --kernels, is "ours", or "vendor" (cuDNN's and cuBLAS's) where this build and this
/// machine have them and `device` is cuda.
void check_kernels(const std::string& kernels, const std::string& device);

/// The backend of --device. `threads`, from --threads, is for cpu; 0: all cores. `tf32`: see CudaOptions.
std::unique_ptr<Backend> make_device(const std::string& device, int threads, bool tf32 = false,
                                     const std::string& kernels = "ours");

/// --device, --kernels and --threads, and the backend that they stand for.
struct DeviceOptions {
  std::string device = "auto", kernels = "ours";
  int threads = 0;

  void declare(CommandLine& command_line);
  std::unique_ptr<Backend> make() const { return make_device(choose_device(device).name, threads, false, kernels); }
};

/// Options for weights that say nothing of themselves, such as a state dict of PyTorch's: --model, --image-size, --mean,
/// --deviation, --resize and --no-transform-input, and what they stand for. Throws Error, naming the option, if they are wrong or given without --model.
struct DescribedWeights {
  std::string model, image_size;
  std::string resize = "stretch";
  std::vector<double> mean = {0.0}, deviation = {1.0};
  bool no_transform_input = false;

  void declare(CommandLine& command_line);
  WeightsDescription description() const;
};

/// Shows on stderr how far a folder of images is loaded: for ImageFolderOptions::progress.
std::function<void(std::int64_t done, std::int64_t total)> loading_bar();

/// Keeps the first `count` samples, all of them if it is 0. Throws Error, naming the option, if there are fewer.
void keep_first(ImageDataset& dataset, std::int64_t count, const char* option);

}  // namespace minception
