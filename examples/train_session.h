#pragma once
/// A training with its folder: what is printed, written and saved while it runs.

#include <minception/data/image_dataset.h>
#include <minception/examples/train_options.h>
#include <minception/models/network.h>
#include <minception/training/feed.h>
#include <minception/training/run_folder.h>
#include <minception/training/tensorboard.h>
#include <minception/training/trainer.h>

#include <optional>
#include <string>

namespace minception {

/// What the images are that a training is tested on: "test", or "held-out".
const char* test_part(const TrainOptions& options);

/// All that a step or an epoch leaves is saved before it is printed. Where something cannot be saved, the rest still is, and
/// the training ends between two steps.
class TrainSession {
 public:
  /// Makes or reopens the folder. `recorded`: the options as they are compared with when the run is resumed. All else
  /// outlives the session.
  TrainSession(const TrainOptions& options, Network& network, Trainer& trainer, const Dataset& dataset,
               const nlohmann::ordered_json& recorded);

  /// Whether nothing is left to do: all epochs are run, or --patience has come to its end.
  bool finished() const;
  /// Returns false if a signal stopped it. `results` says what the folder holds, or how to go on. Throws Error, with how to
  /// go on, where something could not be saved.
  bool run(Feed& test, std::string& results);
  /// Instead of training: leaves profile.json in the folder.
  void profile_steps(Feed& feed);

 private:
  template <class F>
  void saving(F&& f);
  bool goes_on() const;
  bool train_epoch();
  bool test_epoch(Feed& test);
  bool note_epoch(const EpochMetrics& epoch);
  void save(const TrainerState& state);
  bool stopped(std::string& results);
  std::string report_problem();

  const TrainOptions& o_;
  Network& network_;
  Trainer& trainer_;
  const Dataset& dataset_;
  std::string recorded_;
  std::string config_;  // the content of config.json
  RunFolder run_;
  std::optional<EventFile> events_;
  std::optional<EpochMetrics> best_;     // the epoch of model_best.safetensors
  std::string failure_;                  // what could not be saved
  std::int64_t saved_step_ = -1;         // of the last checkpoint
  std::optional<TrainerState> unsaved_;  // of a checkpoint that could not be written
  bool warned_ = false;                  // of a report that could not be written
};

}  // namespace minception
