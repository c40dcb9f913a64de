/// Key numbers of a run as HTML.

#include "training/report/summary.h"
#include "training/report/curve.h"
#include "training/report/text.h"

#include <algorithm>
#include <cmath>

namespace minception::report {
namespace {

constexpr std::size_t kEpochRows = 300;
constexpr std::size_t kNotices = 50;

/// The epoch with the best evaluation accuracy; nullptr if there is none.
const EpochMetrics* best_epoch(const Run& run) {
  const EpochMetrics* best = nullptr;
  for (const EpochMetrics& epoch : run.metrics.epochs) {
    if (!std::isfinite(epoch.eval_accuracy)) continue;
    if (best == nullptr || is_better(epoch, *best)) best = &epoch;
  }
  return best;
}

double total_seconds(const Run& run) {
  double seconds = 0.0;
  for (const EpochMetrics& epoch : run.metrics.epochs) seconds += epoch.seconds;
  return run.metrics.epochs.empty() ? kNotANumber : seconds;
}

/// "3 of 10"
std::string epochs_done(const Run& run) {
  const std::int64_t done = run.metrics.epochs.empty() ? 0 : run.metrics.epochs.back().epoch;
  const double planned = run.number("epochs");
  return grouped(done) + (planned > 0.0 ? " of " + grouped(std::llround(planned)) : "");
}

std::string tile(const std::string& name, const std::string& value, const std::string& note, bool first = false) {
  return "<div class=\"tile" + std::string(first ? " first" : "") + "\"><dt>" + name + "</dt><dd>" + value +
         (note.empty() ? "" : "<small>" + note + "</small>") + "</dd></div>\n";
}

std::string cell(const std::string& text, bool best = false) {
  return "<td class=\"n\">" + (best ? "<b>" + text + "</b>" : text) + "</td>";
}

}  // namespace

std::string headline(const Run& run) {
  const auto& epochs = run.metrics.epochs;
  std::string tiles;
  if (const EpochMetrics* best = best_epoch(run)) {
    const EpochMetrics& last = epochs.back();
    // The best test accuracy is biased if the test images chose the epoch.
    const bool shows_best = last.part == Part::validation;
    std::string note = best->epoch == last.epoch ? "best so far"
                       : shows_best ? "epoch " + grouped(best->epoch) + ", last " + percent(last.eval_accuracy)
                                    : "best " + percent(best->eval_accuracy) + " in epoch " + grouped(best->epoch);
    if (run.has_best_weights) note += ": model_best.safetensors";
    const TestMetrics* test = run.metrics.last_test();
    if (test != nullptr) {
      tiles += tile("Test accuracy", percent(test->test_accuracy),
                    "weights of epoch " + grouped(test->epoch) + ", chosen by the validation images", true);
    }
    const std::string part = capitalized(to_string(last.part));
    tiles +=
        tile(part + " accuracy", percent(shows_best ? best->eval_accuracy : last.eval_accuracy), note, test == nullptr);
    tiles += tile(part + " loss", decimal(last.eval_loss, 4), "train " + decimal(last.train_loss, 4));
  } else if (!run.metrics.steps.empty()) {
    const StepMetrics& last = run.metrics.steps.back();
    tiles += tile("Training loss", decimal(last.loss, 4), "step " + grouped(last.step), true);
    tiles += tile("Training accuracy", percent(last.accuracy), "");
  }
  const std::int64_t step =
      std::max(epochs.empty() ? 0 : epochs.back().step, run.metrics.steps.empty() ? 0 : run.metrics.steps.back().step);
  tiles += tile("Epochs", epochs_done(run), step > 0 ? grouped(step) + " steps" : "");
  if (!epochs.empty()) {
    tiles += tile("Time", duration(total_seconds(run)), "last epoch " + duration(epochs.back().seconds));
    tiles += tile("Images per second", compact(epochs.back().examples_per_second), "in the last epoch");
  }
  if (const double parameters = run.number("parameters"); parameters > 0.0) {
    tiles += tile("Parameters", compact(parameters), grouped(std::llround(parameters)));
  }
  return "<dl class=\"tiles\">\n" + tiles + "</dl>\n";
}

std::string notices(const Run& run) {
  std::string items;
  const auto& list = run.metrics.notices;
  for (std::size_t i = 0; i < std::min(list.size(), kNotices); ++i) {
    items += "<li><b>epoch " + grouped(list[i].epoch) + ", step " + grouped(list[i].step) + "</b> " +
             escaped(list[i].text) + "</li>\n";
  }
  if (list.size() > kNotices) {
    items += "<li>and " + grouped(static_cast<std::int64_t>(list.size() - kNotices)) + " more in metrics.jsonl</li>\n";
  }
  if (!items.empty()) items = "<ul class=\"notices\" aria-label=\"Notices\">\n" + items + "</ul>\n";

  const bool recorded = !run.metrics.steps.empty() || !run.metrics.epochs.empty();
  if (!recorded) {
    items +=
        "<p class=\"missing\">Nothing is recorded yet: the curves appear with the first lines of metrics.jsonl.</p>\n";
  }
  if (!run.evaluation) {
    items += "<p class=\"missing\">No evaluation.json" +
             std::string(run.metrics.epochs.empty()
                             ? " yet: the confusion matrix and the mistakes appear after the first test."
                             : ": the confusion matrix and the mistakes are left out.") +
             "</p>\n";
  }
  return items;
}

std::string epoch_table(const Run& run) {
  const auto& epochs = run.metrics.epochs;
  if (epochs.empty()) return "";
  const EpochMetrics* best = best_epoch(run);
  const bool top5 = run.tells_top5();
  std::string rows;
  for (const std::size_t i : spread_indices(epochs.size(), kEpochRows)) {
    const EpochMetrics& epoch = epochs[i];
    rows += "<tr><th scope=\"row\">" + grouped(epoch.epoch) + "</th>" + cell(grouped(epoch.step)) +
            cell(decimal(epoch.learning_rate, 6)) + cell(fixed(epoch.train_loss, 4)) +
            cell(percent(epoch.train_accuracy)) + cell(fixed(epoch.eval_loss, 4)) +
            cell(percent(epoch.eval_accuracy), &epoch == best) + (top5 ? cell(percent(epoch.eval_top5)) : "") +
            cell(compact(epoch.examples_per_second)) + cell(duration(epoch.seconds)) + "</tr>\n";
  }
  std::string head;
  const std::string part = to_string(run.metrics.part());
  for (const std::string& name :
       {std::string("step"), std::string("learning rate"), std::string("train loss"), std::string("train accuracy"),
        part + " loss", part + " accuracy", part + " top-5", std::string("images/s"), std::string("time")}) {
    if (!top5 && name.ends_with("top-5")) continue;
    head += "<th scope=\"col\" class=\"n\">" + name + "</th>";
  }
  return "<details><summary>" +
         (epochs.size() > kEpochRows ? grouped(kEpochRows) + " of the " +
                                           grouped(static_cast<std::int64_t>(epochs.size())) + " epochs as a table"
                                     : std::string("Every epoch as a table")) +
         "</summary><div class=\"scroll\"><table class=\"list\"><thead><tr><th scope=\"col\">epoch</th>" + head +
         "</tr></thead><tbody>\n" + rows + "</tbody></table></div></details>\n";
}

std::string comparison(std::span<const Run> runs) {
  double highest = 0.0;
  for (const Run& run : runs) {
    if (const EpochMetrics* best = best_epoch(run)) highest = std::max(highest, best->eval_accuracy);
  }
  std::string rows;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const EpochMetrics* best = best_epoch(run);
    const EpochMetrics last = run.metrics.epochs.empty() ? EpochMetrics{.train_loss = kNotANumber,
                                                                        .eval_loss = kNotANumber,
                                                                        .eval_accuracy = kNotANumber,
                                                                        .examples_per_second = kNotANumber}
                                                         : run.metrics.epochs.back();
    rows +=
        "<tr><th scope=\"row\" class=\"c" + std::to_string(i % 8) + "\"><i></i><a href=\"#run" + std::to_string(i + 1) +
        "\">" + escaped(run.name) + "</a></th><td>" + escaped(run.title()) + "</td>" +
        cell(percent(last.eval_accuracy)) +
        cell(best == nullptr ? "–" : percent(best->eval_accuracy), best != nullptr && best->eval_accuracy == highest) +
        cell(best == nullptr ? "–" : grouped(best->epoch)) + cell(fixed(last.eval_loss, 4)) +
        cell(fixed(last.train_loss, 4)) + cell(epochs_done(run)) + cell(duration(total_seconds(run))) +
        cell(compact(last.examples_per_second)) + cell(compact(run.number("parameters"))) + "</tr>\n";
  }
  std::string head;
  const std::string part = part_name(runs);
  for (const std::string& name : {"last " + part + " accuracy", std::string("best"), std::string("in epoch"),
                                  part + " loss", std::string("train loss"), std::string("epochs"), std::string("time"),
                                  std::string("images/s"), std::string("parameters")}) {
    head += "<th scope=\"col\" class=\"n\">" + name + "</th>";
  }
  return "<div class=\"scroll\"><table class=\"list runs\"><caption>Last and best numbers</caption><thead><tr>"
         "<th scope=\"col\">run</th><th scope=\"col\"></th>" +
         head + "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

}  // namespace minception::report
