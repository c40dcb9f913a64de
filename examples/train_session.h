#pragma once
/// A training with its folder: what is printed, written and saved while it runs.

#include <minception/data/image_dataset.h>
#include <minception/examples/train_options.h>
#include <minception/models/network.h>
#include <minception/training/evaluation.h>
#include <minception/training/feed.h>
#include <minception/training/run_folder.h>
#include <minception/training/tensorboard.h>
#include <minception/training/trainer.h>

#include <optional>
#include <string>

namespace minception {

/// The images that epochs are evaluated on: those for validation, where there are some.
Part evaluated_part(const Dataset& dataset);
const ImageDataset& images_of(const Dataset& dataset, Part part);

/// All that a step or an epoch leaves is saved before it is printed. Where something cannot be saved, the rest still is, and
/// the training ends between two steps.
class TrainSession {
 public:
  /// Makes or reopens the folder. `recorded`: the options as they are compared with when the run is resumed. All else
  /// outlives the session.
  TrainSession(const TrainOptions& options, Network& network, Trainer& trainer, const Dataset& dataset,
               const nlohmann::ordered_json& recorded);

  /// Whether nothing is left to do: all epochs are run, or --patience has come to its end, and the best weights are tested.
  bool finished() const;
  /// `evaluated` gives the images that epochs are evaluated on. Returns false if a signal stopped it. `results` says what the folder holds, or how to go on. Throws Error, with how to
  /// go on, where something could not be saved.
  bool run(Feed& evaluated, std::string& results);
  /// Instead of training: leaves profile.json in the folder.
  void profile_steps(Feed& feed);

 private:
  template <class F>
  void saving(F&& f);
  bool goes_on() const;
  bool train_epoch();
  bool evaluate_epoch(Feed& evaluated);
  bool has_trained() const;
  bool is_to_test() const;
  bool test_best();
  Evaluation evaluate_part(Network& network, Feed& feed, Part part);
  void record_evaluation(Part part, std::int64_t epoch, Evaluation evaluation);
  bool note_epoch(const EpochMetrics& epoch);
  void save(const TrainerState& state);
  bool stopped(std::string& results);
  std::string report_problem();

  const TrainOptions& o_;
  Network& network_;
  Trainer& trainer_;
  const Dataset& dataset_;
  Part part_;  // that epochs are evaluated on
  std::string recorded_;
  std::string config_;  // the content of config.json
  RunFolder run_;
  std::optional<EventFile> events_;
  std::optional<EpochMetrics> best_;     // the epoch of model_best.safetensors
  std::optional<TestMetrics> tested_;    // of these weights
  std::string failure_;                  // what could not be saved
  std::int64_t saved_step_ = -1;         // of the last checkpoint
  std::optional<TrainerState> unsaved_;  // of a checkpoint that could not be written
  bool warned_ = false;                  // of a report that could not be written
};

}  // namespace minception
