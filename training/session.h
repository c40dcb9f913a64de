#pragma once
/// A training with its run folder: printing, logging and saving while it runs.

#include "data/image_dataset.h"
#include "models/network.h"
#include "tools/train_options.h"
#include "training/batch_source.h"
#include "training/evaluation.h"
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
  /// Creates or reopens the run folder. `recorded`: options that a resumed run is compared with. Everything except
  /// `recorded` must outlive the session.
  TrainSession(const TrainOptions& options, Network& network, Trainer& trainer, const Dataset& dataset,
               const nlohmann::ordered_json& recorded);

  /// True if all epochs have run, or --patience is exhausted, and the best weights have been tested.
  bool finished() const;
  /// Trains. `evaluated` provides the images that epochs are evaluated on. Sets `results` to what the folder holds, or
  /// how to resume. Returns false if stopped by a signal. Throws Error, with how to resume, if something was not saved.
  bool run(BatchSource& evaluated, std::string& results);
  /// Profiles steps instead of training: writes profile.json.
  void profile_steps(BatchSource& feed);

 private:
  template <class F>
  void saving(F&& f);
  bool goes_on() const;
  bool train_epoch();
  bool evaluate_epoch(BatchSource& evaluated);
  void print_hint() const;
  bool has_trained() const;
  bool is_to_test() const;
  bool test_best();
  Evaluation evaluate_part(Network& network, BatchSource& feed, Part part);
  void record_evaluation(Part part, std::int64_t epoch, Evaluation evaluation);
  bool note_epoch(const EpochMetrics& epoch);
  void save(const TrainerState& state);
  bool stopped(std::string& results);
  std::string report_problem();

  const TrainOptions& o_;
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
