#pragma once
/// A training with its run folder: printing, logging and saving while it runs.

#include "data/image_dataset.h"
#include "models/network.h"
#include "training/batch_source.h"
#include "training/evaluation.h"
#include "training/fit.h"
#include "training/run_folder.h"
#include "training/tensorboard.h"
#include "training/trainer.h"

#include <optional>
#include <string>

namespace minception {

/// The part that epochs are evaluated on: validation if it has images, otherwise test.
Part evaluated_part(const Dataset& dataset);
const ImageDataset& images_of(const Dataset& dataset, Part part);

/// Saves all results of a step or epoch before printing them. If something cannot be saved, the rest still is, and the
/// training stops between two steps.
class TrainSession {
 public:
  /// Creates or reopens the run folder. `recorded`: options as JSON text, kept with the run. Everything except `recorded`
  /// must outlive the session.
  TrainSession(const FitOptions& options, Network& network, Trainer& trainer, const Dataset& dataset,
               const std::string& device, const std::string& recorded);

  /// True if all epochs have run, or `patience` is exhausted, and the best weights have been tested.
  bool finished() const;
  /// Trains. `evaluated` provides the images that epochs are evaluated on. Throws Error, with how to resume, if something
  /// was not saved.
  FitResult run(BatchSource& evaluated);
  /// Profiles steps instead of training: writes profile.json.
  void profile_steps(BatchSource& feed);

 private:
  template <class F>
  void saving(F&& f);
  bool stop_requested() const { return o_.should_stop && o_.should_stop(); }
  bool goes_on() const { return failure_.empty() && !stop_requested(); }
  void say(const char* format, ...) const __attribute__((format(printf, 2, 3)));
  bool train_epoch();
  bool evaluate_epoch(BatchSource& evaluated);
  void print_hint() const;
  bool has_trained() const;
  bool is_to_test() const;
  bool test_best();
  Evaluation evaluate_part(Network& network, BatchSource& feed, Part part);
  void record_evaluation(Network& network, Part part, std::int64_t epoch, Evaluation evaluation);
  bool note_epoch(const EpochMetrics& epoch);
  void save(const TrainerState& state);
  FitResult stopped();
  std::string report_problem();

  const FitOptions& o_;
  Network& network_;
  Trainer& trainer_;
  const Dataset& dataset_;
  Part part_;  // part that epochs are evaluated on
  std::string recorded_;
  std::string config_;  // content of config.json
  RunFolder run_;
  std::optional<EventFile> events_;
  std::optional<EpochMetrics> best_;     // epoch of model_best.safetensors
  std::optional<TestMetrics> tested_;    // test metrics of those weights
  std::string failure_;                  // first error while saving
  std::int64_t saved_step_ = -1;         // step of the last checkpoint
  std::optional<TrainerState> unsaved_;  // state whose checkpoint could not be written
  bool warned_ = false;                  // a failed report was already reported
};

}  // namespace minception
