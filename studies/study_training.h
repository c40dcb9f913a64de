#pragma once
/// Shared by the studies that train: options, data, and runs with intermediate tests.

#include "data/image_dataset.h"
#include "models/network.h"
#include "studies/study.h"
#include "tools/command_line.h"
#include "training/progress.h"
#include "training/trainer.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

/// Options of such a study: the recipe shared by all its runs, and the output.
struct StudyOptions {
  std::string data = "fashion-mnist", data_dir;
  std::string image_size = "32";
  std::int64_t batch_size = 128;
  std::string schedule = "one-cycle";
  double momentum = 0.9, weight_decay = 5e-4;
  std::string initialization = "kaiming-normal";  // a GoogLeNet without BatchNorm leaves chance level soonest with it
  std::int64_t seed = 1;
  std::int64_t hold_out = 0, limit_train = 0, limit_test = 0;
  std::string device = "cpu";
  int threads = 0;
  bool json = false, overwrite = false;
  std::string out, program;
};

void declare(CommandLine& command_line, StudyOptions& options);
/// The options as text for a command line.
std::string words_of(const StudyOptions& options);
/// The recipe as a sentence, without learning rates.
std::string recipe_text(const StudyOptions& options);
nlohmann::ordered_json to_json(const StudyOptions& options);

/// Exit code 128 + signal number if the study was stopped by a signal, otherwise `code`.
int exit_code(int code);

/// Throws Error for a study that ends with `problem` after `done` of its parts (such as "models") were finished. The
/// message names the results and the options `go_on` that run the remaining parts. `folder` holds the results.
[[noreturn]] void fail_unfinished(const std::string& problem, std::size_t done, const std::string& parts,
                                  const ResultFolder* folder, const std::string& go_on);

/// The data set, limited as the options specify.
Dataset load_dataset(const StudyOptions& options);

/// A data set on a device.
struct StudyData {
  StudyData(Backend& backend, const ImageDataset& train, const ImageDataset& test);
  StudyData(const StudyData&) = delete;
  StudyData& operator=(const StudyData&) = delete;

  Shape image;
  std::int64_t train_size, test_size;
  ResidentDataset train, test;
  std::vector<std::int32_t> test_labels;
};

ModelConfig model_config(const StudyOptions& options, const std::string& model, const Dataset& dataset);
/// `freeze` as in NetworkOptions.
NetworkOptions network_options(const StudyOptions& options, const Shape& image, double learning_rate,
                               std::vector<std::string> freeze = {});
/// Steps per epoch, including the last partial batch.
std::int64_t steps_per_epoch(const StudyOptions& options, std::int64_t train_size);

/// A training of a given number of steps that runs in pieces. Measures only the time spent training.
class StudyTraining {
 public:
  /// `name` prefixes progress, warnings and errors. All references must outlive the training.
  StudyTraining(std::string name, const StudyOptions& options, Network& network, const StudyData& data,
                std::int64_t steps);

  /// Trains until `step` steps have run in total. Throws Error if training fails or is stopped by a signal.
  void train_to(std::int64_t step, Progress* progress = nullptr);
  std::int64_t images() const { return (state_.epoch - 1) * train_size_ + state_.position; }
  double seconds() const { return seconds_before_ + state_.seconds; }

 private:
  std::string name_;
  std::int64_t train_size_;
  ResidentBatchSource feed_;
  Trainer trainer_;
  TrainerState state_;           // state after the last train_to
  double seconds_before_ = 0.0;  // of completed epochs
};

/// Seconds per step: the mean of `steps` steps after a warm-up, with a separate network and a learning rate of 0.
double measure_step_seconds(const StudyOptions& options, const ModelConfig& config, Backend& backend,
                            const StudyData& data, std::int64_t steps);

/// Result of a test.
struct TestPoint {
  std::int64_t step = 0, images = 0;  ///< trained so far
  double epochs = 0.0, seconds = 0.0;
  double loss = 0.0, accuracy = 0.0;
};
nlohmann::ordered_json to_json(const std::vector<TestPoint>& points);

/// `count` step numbers, evenly spaced and ending at `steps`; fewer if `steps` is smaller than `count`.
std::vector<std::int64_t> evenly_spaced(std::int64_t steps, std::int64_t count);

/// Trains the network and tests it after each of the given numbers of steps; the last one ends the training. Shows
/// progress on stderr.
std::vector<TestPoint> train_and_test(const std::string& name, const StudyOptions& options, Network& network,
                                      const StudyData& data, const std::vector<std::int64_t>& tests);

/// Accuracy as "92.34 %", and its standard error over `images` images.
std::string accuracy_text(double accuracy);
double standard_error(double accuracy, std::int64_t images);

}  // namespace minception
