#include "training/session.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "data/registry.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "training/checkpoint.h"
#include "training/environment.h"
#include "training/evaluation_record.h"
#include "training/profile.h"
#include "training/progress.h"
#include "training/report.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace minception {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMistakes = 36;

Json config_json(const FitOptions& o, const std::string& device, const std::string& recorded, const Network& network,
                 const Dataset& dataset) {
  const Json options = Json::parse(recorded);
  const Shape& input = network.model().config.input;
  const Network::Memory& memory = network.memory();
  Json config = {
      {"model", network.model().config.name},
      {"input", {input[0], input[1], input[2]}},
      {"classes", network.model().config.classes},
      {"parameters", network.parameters().trained_values()},
      {"data", dataset.source},
      {"data_dir", dataset.folder},
      {"train_images", dataset.train.size()},
      {"validation_images", dataset.validation.size()},
      {"test_images", dataset.test.size()},
      {"epochs", o.epochs},
      {"batch_size", o.batch_size},
      {"options", options},
      {"device", device},
      {"backend", network.backend().description()},
      {"compute", o.compute},
      {"kernels", o.kernels},
      {"processor", processor_name()},
      {"compiler", compiler_name()},
      {"memory",
       {{"parameters", memory.parameters},
        {"gradients", memory.gradients},
        {"optimizer", memory.optimizer},
        {"averages", memory.averages},
        {"packed", memory.prepacked},
        {"arena", memory.arena},
        {"activations", memory.training.activations},
        {"activation_gradients", memory.training.gradients},
        {"largest_workspace", memory.training.largest_workspace},
        {"without_reuse", memory.training.without_reuse},
        {"live", memory.training.live},
        {"total", memory.total},
        {"available", memory.available}}},
  };
  const std::vector<std::string> known = model_names();
  if (std::find(known.begin(), known.end(), network.model().config.name) == known.end()) {
    config["network"] = Json::parse(to_graph(network.model()));
  }
  return config;
}

}  // namespace

Part evaluated_part(const Dataset& dataset) { return dataset.validation.size() > 0 ? Part::validation : Part::test; }

const ImageDataset& images_of(const Dataset& dataset, Part part) {
  return part == Part::validation ? dataset.validation : dataset.test;
}

TrainSession::TrainSession(const FitOptions& o, Network& network, Trainer& trainer, const Dataset& dataset,
                           const std::string& device, const std::string& recorded)
    : o_(o),
      network_(network),
      trainer_(trainer),
      dataset_(dataset),
      part_(evaluated_part(dataset)),
      recorded_(recorded),
      config_(config_json(o, device, recorded, network, dataset).dump(2, ' ', false, Json::error_handler_t::replace) +
              "\n"),
      run_(o.out, o.resume      ? RunFolder::Open::resume
                  : o.overwrite ? RunFolder::Open::overwrite
                                : RunFolder::Open::fresh) {
  run_.write("config.json", config_);
  const Metrics metrics = run_.cut_metrics(trainer.state());
  for (const EpochMetrics& epoch : metrics.epochs) note_epoch(epoch);
  if (!fs::exists(run_.file("model_best.safetensors"))) best_.reset();
  if (const TestMetrics* test = metrics.last_test()) tested_ = *test;
  if (!o.tensorboard) return;
  if (o.resume) rewrite_events(run_.file("tensorboard"), metrics);
  events_.emplace(run_.file("tensorboard"));
}

/// printf, unless the options turn it off.
void TrainSession::say(const char* format, ...) const {
  if (!o_.verbose) return;
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::fflush(stdout);
}

FitResult TrainSession::run(BatchSource& evaluated) {
  try {
    while (!has_trained()) {
      if (stop_requested() || !train_epoch() || !evaluate_epoch(evaluated)) return stopped();
    }
    if (is_to_test() && !test_best()) return stopped();
  } catch (...) {
    report_problem();
    throw;
  }
  const std::string problem = report_problem();
  require(problem.empty(), problem, "; the run is complete and saved; the tool report makes its report");
  const bool early_stopped = !trainer_.finished();
  if (early_stopped) {
    say("no epoch was better than epoch %lld for %lld epochs (patience): the run ends\n",
        static_cast<long long>(best_->epoch), static_cast<long long>(o_.patience));
  }
  std::string best;
  if (best_) {
    char accuracy[32] = "";
    if (part_ == Part::validation) std::snprintf(accuracy, sizeof accuracy, ": accuracy %.4f", best_->eval_accuracy);
    best = concat("model_best.safetensors (epoch ", best_->epoch, ", the best on the ", to_string(part_), " images",
                  accuracy, "), ");
  }
  const std::string text =
      concat(run_.path().string(), " holds model.safetensors, ", best, "checkpoints, metrics.jsonl and report.html");
  say("%s\n", text.c_str());
  print_hint();
  return {.early_stopped = early_stopped, .text = text, .best = best_, .test = tested_};
}

void TrainSession::profile_steps(BatchSource& feed) {
  const bool emulated = network_.backend().device().kind == DeviceKind::cuda && cuda_is_emulated();
  const Profile found = profile(network_, feed,
                                {.batch_size = o_.batch_size,
                                 .steps = o_.profile_steps > 0 ? o_.profile_steps : (emulated ? 1 : 10),
                                 .seed = o_.seed,
                                 .shuffle = o_.shuffle});
  run_.write("profile.json", to_json(found));
  std::printf("%s%s has the full profile\n", profile_text(found).c_str(), run_.file("profile.json").c_str());
}

/// Runs one part of saving. Keeps the first Error, which ends the training.
template <class F>
void TrainSession::saving(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    if (failure_.empty()) failure_ = error.what();
  }
}

bool TrainSession::train_epoch() {
  const TrainerState start = trainer_.state();
  std::optional<Progress> bar;
  if (o_.verbose && !trainer_.epoch_trained()) {
    bar.emplace(concat("epoch ", start.epoch, "/", o_.epochs), trainer_.samples(), "images", start.position);
  }
  TrainerHooks hooks;
  hooks.progress = [&](const TrainerProgress& progress) {
    if (!bar) return;
    char note[64];
    std::snprintf(note, sizeof note, "loss %.4f  accuracy %.4f", progress.loss, progress.accuracy);
    bar->update(progress.done, note);
  };
  hooks.line = [&](const StepMetrics& line) {
    saving([&] { run_.append(to_json_line(line)); });
    if (events_) saving([&] { events_->add(line); });
    if (o_.on_step) o_.on_step(line);
  };
  hooks.notice = [&](const Notice& notice) {
    saving([&] { run_.append(to_json_line(notice)); });
    if (bar) bar->clear();
    if (!notice.fatal) o_.on_warning(notice.text);
  };
  hooks.after_step = [&] {
    if (!goes_on()) return false;
    const std::int64_t step = trainer_.step();
    if (o_.checkpoint_every > 0 && step % o_.checkpoint_every == 0 && !trainer_.epoch_trained()) {
      save(trainer_.state());
    }
    return goes_on();
  };
  return trainer_.train_epoch(hooks);
}

/// Stops early on a signal; the caller detects it by Evaluation::samples.
Evaluation TrainSession::evaluate_part(Network& network, BatchSource& feed, Part part) {
  const ImageDataset& images = images_of(dataset_, part);
  std::optional<Progress> bar;
  if (o_.verbose) bar.emplace(to_string(part), images.size(), "images");
  return evaluate(network, feed, images.labels, {.most_mistakes = kMistakes}, [&](const EvaluationProgress& progress) {
    char note[64];
    std::snprintf(note, sizeof note, "loss %.4f  accuracy %.4f", progress.loss, progress.top1);
    if (bar) bar->update(progress.done, note);
    return !stop_requested();
  });
}

/// Replaces evaluation.json.
void TrainSession::record_evaluation(Network& network, Part part, std::int64_t epoch, Evaluation evaluation) {
  const ImageDataset& images = images_of(dataset_, part);
  EvaluationRecord record = make_evaluation_record(concat(dataset_.name, ", ", to_string(part)), epoch, trainer_.step(),
                                                   std::move(evaluation), images);
  add_mistake_maps(record, network, images);
  add_inside_pictures(record, network, images);
  saving([&] { run_.write("evaluation.json", to_json(record)); });
}

bool TrainSession::evaluate_epoch(BatchSource& evaluated) {
  const auto start = std::chrono::steady_clock::now();
  Evaluation evaluation = evaluate_part(network_, evaluated, part_);
  if (evaluation.samples < images_of(dataset_, part_).size()) return false;
  const TrainerState trained = trainer_.state();
  EpochMetrics metrics = trainer_.finish_epoch();
  metrics.part = part_;
  metrics.eval_loss = evaluation.loss;
  metrics.eval_accuracy = evaluation.top1;
  metrics.eval_top5 = evaluation.top5;
  metrics.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  saving([&] { run_.append(to_json_line(metrics)); });
  if (events_) saving([&] { events_->add(metrics); });
  record_evaluation(network_, part_, metrics.epoch, std::move(evaluation));
  saving([&] {
    const Safetensors weights = {network_.averaged_state(), weights_metadata(network_, dataset_.train.class_names)};
    write_safetensors(run_.file("model.safetensors"), weights);
    if (note_epoch(metrics)) write_safetensors(run_.file("model_best.safetensors"), weights);
  });
  // If one of these is missing, the epoch is not complete: a resumed run evaluates again and writes all of them.
  save(failure_.empty() ? trainer_.state() : trained);
  if (!has_trained() && failure_.empty()) {
    const std::string problem = report_problem();
    if (!problem.empty() && !std::exchange(warned_, true)) o_.on_warning(problem);
  }
  say("epoch %lld/%lld  train loss %.4f accuracy %.4f  %s loss %.4f accuracy %.4f  %.0f images/s  %s\n",
      static_cast<long long>(metrics.epoch), static_cast<long long>(o_.epochs), metrics.train_loss,
      metrics.train_accuracy, to_string(part_), metrics.eval_loss, metrics.eval_accuracy, metrics.examples_per_second,
      clock_time(metrics.seconds).c_str());
  if (o_.on_epoch) o_.on_epoch(metrics);
  return failure_.empty();
}

/// For image folders: prints a hint if the accuracy of the best epoch is far below its training accuracy.
void TrainSession::print_hint() const {
  constexpr double kGap = 0.15;
  if (!o_.verbose || !is_image_folder(dataset_.source) || !best_ ||
      !(best_->train_accuracy - best_->eval_accuracy > kGap))
    return;
  std::printf(
      "hint: accuracy %.2f on the training images, but %.2f on the %s images: more pictures, or starting from trained "
      "weights (init), would help most; see docs/your-own-pictures.md, 'When it does not learn'\n",
      best_->train_accuracy, best_->eval_accuracy, to_string(part_));
}

bool TrainSession::has_trained() const {
  if (trainer_.finished()) return true;
  if (o_.patience == 0 || !best_) return false;
  const TrainerState at = trainer_.state();
  const std::int64_t evaluated_epochs = at.epoch - 1;
  return at.position == 0 && evaluated_epochs - best_->epoch >= o_.patience;
}

/// If the validation images selected the best epoch, its weights are tested once, after training.
bool TrainSession::is_to_test() const {
  const bool tested = tested_ && tested_->step == trainer_.step();
  return part_ == Part::validation && dataset_.test.size() > 0 && best_ && !tested;
}

bool TrainSession::finished() const { return has_trained() && !is_to_test(); }

/// Returns false if stopped by a signal, or if the result could not be saved.
bool TrainSession::test_best() {
  const fs::path path = run_.file("model_best.safetensors");
  Evaluation evaluation;
  std::unique_ptr<Network> network;
  try {
    WeightsFile weights = read_weights_file(path.string());
    const NetworkOptions options = {.max_batch = std::min(o_.batch_size, dataset_.test.size()),
                                    .training = false,
                                    .dataset_image = dataset_.test.image,
                                    .scale = weights.scale,
                                    .shift = weights.shift};
    network = std::make_unique<Network>(make_model(weights.config), network_.backend(), options);
    load_weights(*network, weights, path.string());
    const MemorySource source(dataset_.test);
    StreamingBatchSource feed(source, o_.num_workers);
    evaluation = evaluate_part(*network, feed, Part::test);
  } catch (const Error& error) {
    o_.on_warning(concat("the test images were not evaluated: ", error.what()));
    return true;
  }
  if (evaluation.samples < dataset_.test.size()) return false;
  const TestMetrics metrics = {.epoch = best_->epoch,
                               .step = trainer_.step(),
                               .validation_accuracy = best_->eval_accuracy,
                               .test_loss = evaluation.loss,
                               .test_accuracy = evaluation.top1,
                               .test_top5 = evaluation.top5};
  record_evaluation(*network, Part::test, metrics.epoch, std::move(evaluation));
  saving([&] { run_.append(to_json_line(metrics)); });
  tested_ = metrics;
  say("model_best.safetensors (epoch %lld) on the test images: loss %.4f accuracy %.4f\n",
      static_cast<long long>(metrics.epoch), metrics.test_loss, metrics.test_accuracy);
  return failure_.empty();
}

/// Records the epoch if it is the best so far; returns whether it is.
bool TrainSession::note_epoch(const EpochMetrics& epoch) {
  if (best_ && !is_better(epoch, *best_)) return false;
  best_ = epoch;
  return true;
}

void TrainSession::save(const TrainerState& state) {
  unsaved_ = state;
  saving([&] {
    write_checkpoint(run_.new_checkpoint(state.step), network_, state, recorded_, dataset_.train.class_names);
    saved_step_ = state.step;
    unsaved_.reset();
    run_.keep_checkpoints(static_cast<std::size_t>(o_.keep_checkpoints));
  });
}

/// Saves as much of the training state as possible.
FitResult TrainSession::stopped() {
  bool ours = false, again = false;
  saving([&] {
    again = run_.restore(config_);
    ours = true;
  });
  saving([&] { run_.flush(); });
  // A checkpoint that could not be written is retried only if the folder was missing and has been restored.
  if (ours && (again || (!unsaved_ && saved_step_ != trainer_.step()))) save(unsaved_.value_or(trainer_.state()));
  if (ours) report_problem();
  const std::string go_on =
      o_.resume_command.empty() ? "resume by fit with resume = true" : concat("resume with: ", o_.resume_command);
  require(failure_.empty(), failure_, ours ? "; " + go_on : "");
  const std::string text = concat("stopped after step ", trainer_.step(), " of ", trainer_.total_steps(), "; ", go_on);
  say("%s\n", text.c_str());
  return {.stopped = true, .text = text, .best = best_};
}

/// Writes the report. Returns the error text, or "": a failed report must not end a run.
std::string TrainSession::report_problem() {
  try {
    const fs::path path = run_.path();
    run_.write("report.html", report_html({&path, 1}));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace minception
