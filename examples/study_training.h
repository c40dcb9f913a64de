#pragma once
/// What the studies that train share: their options, their data, and trainings with tests along the way.

#include <minception/data/image_dataset.h>
#include <minception/examples/study.h>
#include <minception/models/network.h>
#include <minception/training/progress.h>
#include <minception/training/trainer.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

/// Options of such a study: the recipe that all of its trainings have in common, and where results go.
struct StudyOptions {
  std::string data = "fashion-mnist", data_dir;
  std::string image_size = "32";
  std::int64_t batch_size = 128;
  std::string schedule = "one-cycle";
  double momentum = 0.9, weight_decay = 5e-4;
  std::string initialization = "kaiming-normal";  // with which a GoogLeNet without BatchNorm leaves chance soonest
  std::int64_t seed = 1;
  std::int64_t hold_out = 0, limit_train = 0, limit_test = 0;
  std::string device = "cpu";
  int threads = 0;
  bool json = false, overwrite = false;
  std::string out, program;
};

void declare(CommandLine& command_line, StudyOptions& options);
/// The options as words of a command line.
std::string words_of(const StudyOptions& options);
/// The recipe as a sentence, without learning rates, and what the results are worth.
std::string recipe_text(const StudyOptions& options);
nlohmann::ordered_json to_json(const StudyOptions& options);

/// A study that was stopped ends with 128 and the signal's number, like one that the signal ended.
int exit_code(int code);

/// Throws Error: the study ends with `problem` when `done` of its parts, such as "models", were finished. What is left to
/// do is done by `go_on`, options of the same program. `folder` holds the results of those parts.
[[noreturn]] void fail_unfinished(const std::string& problem, std::size_t done, const std::string& parts,
                                  const ResultFolder* folder, const std::string& go_on);

/// The data set, cut as the options say.
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
NetworkOptions network_options(const StudyOptions& options, const Shape& image, std::vector<std::string> freeze = {});
/// Steps of an epoch, the last partial batch included.
std::int64_t steps_per_epoch(const StudyOptions& options, std::int64_t train_size);

/// A training of a given number of steps that goes on piece by piece. Time counts while it trains and at no other time.
class StudyTraining {
 public:
  /// `name` is what progress, warnings and errors begin with. All else outlives the training.
  StudyTraining(std::string name, const StudyOptions& options, Network& network, const StudyData& data,
                std::int64_t steps, double learning_rate);

  /// Trains until so many steps were made. Throws Error where training fails, or is to stop.
  void train_to(std::int64_t step, Progress* progress = nullptr);
  std::int64_t images() const { return (state_.epoch - 1) * train_size_ + state_.position; }
  double seconds() const { return seconds_before_ + state_.seconds; }

 private:
  std::string name_;
  std::int64_t train_size_;
  ResidentFeed feed_;
  Trainer trainer_;
  TrainerState state_;           // where train_to left it
  double seconds_before_ = 0.0;  // in the epochs before this one
};

/// The seconds that a step takes: the mean of `steps` after a warm-up, of a network of its own, with a learning rate of 0.
double measure_step_seconds(const StudyOptions& options, const ModelConfig& config, Backend& backend,
                            const StudyData& data, std::int64_t steps);

/// What a test found.
struct TestPoint {
  std::int64_t step = 0, images = 0;  ///< trained on up to here
  double epochs = 0.0, seconds = 0.0;
  double loss = 0.0, accuracy = 0.0;
};
nlohmann::ordered_json to_json(const std::vector<TestPoint>& points);

/// `count` numbers of steps, evenly spaced, the last of them `steps`; fewer where there are not so many.
std::vector<std::int64_t> evenly_spaced(std::int64_t steps, std::int64_t count);

/// Trains the network and tests it after each of these numbers of steps, of which the last ends the training. Its progress
/// is on stderr.
std::vector<TestPoint> train_and_test(const std::string& name, const StudyOptions& options, Network& network,
                                      const StudyData& data, const std::vector<std::int64_t>& tests,
                                      double learning_rate);

/// "92.34 %", and the standard error of an accuracy that so many images were asked for.
std::string accuracy_text(double accuracy);
double standard_error(double accuracy, std::int64_t images);

}  // namespace minception
