/// Selection of the curves in a report.

#include "training/report/curves.h"
#include "core/error.h"
#include "training/report/plot.h"
#include "training/report/text.h"

#include <algorithm>
#include <cmath>

namespace minception::report {
namespace {

Curve curve(const Run& run, std::string name, std::string colour) {
  Curve result;
  result.name = std::move(name);
  result.colour = std::move(colour);
  result.steps_per_epoch = run.steps_per_epoch();
  return result;
}

/// A curve over the step lines; `smooth` adds its smoothed version.
template <class Value>
Curve step_curve(const Run& run, std::string name, std::string colour, bool smooth, Value value) {
  Curve result = curve(run, std::move(name), std::move(colour));
  for (const StepMetrics& line : run.metrics.steps) {
    result.steps.push_back(static_cast<double>(line.step));
    result.y.push_back(value(line));
  }
  const double reach = smoothing_reach(result.y.size());
  if (smooth && reach > 0.0) result.smooth = smoothed(result.y, reach);
  return result;
}

template <class Value>
Curve epoch_curve(const Run& run, std::string name, std::string colour, Value value) {
  Curve result = curve(run, std::move(name), std::move(colour));
  for (const EpochMetrics& line : run.metrics.epochs) {
    result.steps.push_back(static_cast<double>(line.step));
    result.y.push_back(value(line));
  }
  result.points = true;
  return result;
}

/// Training loss from the step lines, or from the epochs if there are no step lines.
Curve training_loss(const Run& run, const std::string& name, const std::string& colour) {
  if (run.metrics.steps.empty())
    return epoch_curve(run, name, colour, [](const auto& line) { return line.train_loss; });
  return step_curve(run, name, colour, true, [](const auto& line) { return line.loss; });
}

Curve training_accuracy(const Run& run, const std::string& name, const std::string& colour) {
  if (run.metrics.steps.empty()) {
    return epoch_curve(run, name, colour, [](const auto& line) { return line.train_accuracy; });
  }
  return step_curve(run, name, colour, true, [](const auto& line) { return line.accuracy; });
}

Curve learning_rate(const Run& run, const std::string& name, const std::string& colour) {
  if (run.metrics.steps.empty()) {
    return epoch_curve(run, name, colour, [](const auto& line) { return line.learning_rate; });
  }
  return step_curve(run, name, colour, false, [](const auto& line) { return line.learning_rate; });
}

Curve speed(const Run& run, const std::string& name, const std::string& colour) {
  const auto value = [](const auto& line) { return line.examples_per_second; };
  if (run.metrics.steps.empty()) return epoch_curve(run, name, colour, value);
  return step_curve(run, name, colour, true, value);
}

/// Reference line: the loss of a chance-level classifier, ln(classes).
std::vector<Reference> guessing(const Run& run) {
  const double classes = run.number("classes");
  if (!(classes >= 2.0)) return {};
  return {{std::log(classes), "ln " + decimal(classes, 0) + ": chance level"}};
}

std::string smoothing_note(const Run& run) {
  const double reach = smoothing_reach(run.metrics.steps.size());
  if (reach == 0.0) return "";
  return "Faint: as recorded. Bold: averaged over about " + grouped(std::llround(2.0 * reach)) +
         " neighbouring records.";
}

bool constant(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); });
}

/// Learning rate, and momentum if it changes.
std::string schedule_of(const Run& run) {
  Plot rate{.title = "Learning rate", .range = Range::from_zero, .curves = {}, .references = {}, .height = 150};
  rate.curves.push_back(learning_rate(run, "rate", "c3"));
  const Curve momentum = step_curve(run, "momentum", "c4", false, [](const auto& line) { return line.momentum; });
  const bool still = !momentum.y.empty() && constant(momentum.y);
  const std::string optimizer = run.text("options.optimizer");
  const std::string name = optimizer.starts_with("adam") ? "beta1" : "Momentum";
  if (still) rate.note = name + " " + decimal(momentum.y.front(), 4) + " throughout.";
  std::string html = to_html(rate);
  if (!still) {
    html += to_html({.title = name, .range = Range::fitted, .curves = {momentum}, .references = {}, .height = 150});
  }
  return html;
}

std::string in_grid(const std::string& plots, const char* size = "") {
  return plots.empty() ? "" : "<div class=\"plots" + std::string(size) + "\">\n" + plots + "</div>\n";
}

std::string run_colour(std::size_t index) { return concat("c", index % 8); }

}  // namespace

std::string curves_of(const Run& run) {
  const std::string part = to_string(run.metrics.part());
  Plot loss{.title = "Loss",
            .note = smoothing_note(run),
            .curves = {training_loss(run, "train", "c0"),
                       epoch_curve(run, part, "c1", [](const auto& line) { return line.eval_loss; })},
            .references = guessing(run),
            .height = 280};
  Plot accuracy{.title = "Accuracy",
                .unit = Unit::percent,
                .range = Range::fitted,
                .curves = {training_accuracy(run, "train", "c0"),
                           epoch_curve(run, part, "c1", [](const auto& line) { return line.eval_accuracy; })},
                .references = {},
                .height = 280};
  if (run.tells_top5()) {
    accuracy.curves.push_back(epoch_curve(run, part + " top-5", "c2", [](const auto& line) { return line.eval_top5; }));
  }
  Plot rate{.title = "Speed in images per second",
            .unit = Unit::compact,
            .range = Range::from_zero,
            .curves = {speed(run, "images/s", "c6")},
            .references = {},
            .height = 150};
  return in_grid(to_html(loss) + to_html(accuracy)) + in_grid(schedule_of(run) + to_html(rate), " small");
}

std::string gradients_of(const Run& run) {
  const auto& lines = run.metrics.steps;
  if (lines.empty()) return "";
  Plot plot{.title = "Gradient norm per layer, first layers dark",
            .range = Range::logarithmic,
            .curves = {},
            .references = {},
            .height = 340};
  const double reach = smoothing_reach(lines.size());
  plot.note = concat("Norm of the gradient of a layer's parameters at the step of each line",
                     reach > 0.0 ? ", averaged over nearby lines" : "",
                     ". A layer far below all others learns nothing; one that shoots up is about to diverge.");
  const auto add = [&](Curve curve) {
    if (reach > 0.0) curve.smooth = smoothed(curve.y, reach, true);
    curve.faint = false;
    plot.curves.push_back(std::move(curve));
  };
  const auto& layers = lines.back().gradient_norms;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::size_t depth = layers.size() == 1 ? 0 : i * 11 / (layers.size() - 1);
    const auto norm_of = [&](const StepMetrics& line) {
      const auto& norms = line.gradient_norms;
      // All lines of a run list the same layers, so this index almost always matches.
      if (i < norms.size() && norms[i].first == layers[i].first) return norms[i].second;
      const auto found =
          std::find_if(norms.begin(), norms.end(), [&](const auto& norm) { return norm.first == layers[i].first; });
      return found == norms.end() ? kNotANumber : found->second;
    };
    add(step_curve(run, layers[i].first, concat("d", depth), false, norm_of));
  }
  add(step_curve(run, "all", "total", false, [](const auto& line) { return line.gradient_norm; }));
  return in_grid(to_html(plot));
}

std::string curves_compared(std::span<const Run> runs) {
  const std::string part = capitalized(part_name(runs));
  std::vector<Plot> plots = {
      {.title = part + " accuracy", .unit = Unit::percent, .range = Range::fitted, .height = 280},
      {.title = part + " loss", .height = 280},
      {.title = "Training accuracy", .unit = Unit::percent, .range = Range::fitted, .height = 280},
      {.title = "Training loss", .height = 280},
      {.title = "Learning rate", .range = Range::from_zero, .height = 180, .named = false},
      {.title = "Norm of all gradients", .range = Range::logarithmic, .height = 180, .named = false},
      {.title = "Speed in images per second",
       .unit = Unit::compact,
       .range = Range::from_zero,
       .height = 180,
       .named = false}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const std::string colour = run_colour(i) + (i / 8 % 2 == 1 ? " dash" : "");
    std::vector<Curve> curves = {
        epoch_curve(run, run.name, colour, [](const auto& line) { return line.eval_accuracy; }),
        epoch_curve(run, run.name, colour, [](const auto& line) { return line.eval_loss; }),
        training_accuracy(run, run.name, colour),
        training_loss(run, run.name, colour),
        learning_rate(run, run.name, colour),
        step_curve(run, run.name, colour, true, [](const auto& line) { return line.gradient_norm; }),
        speed(run, run.name, colour)};
    for (std::size_t p = 0; p < plots.size(); ++p) {
      // With more than three runs, the raw curves behind the smoothed ones would clutter the plot.
      if (runs.size() > 3) curves[p].faint = false;
      plots[p].curves.push_back(std::move(curves[p]));
    }
  }
  const bool same_classes = std::all_of(
      runs.begin(), runs.end(), [&](const Run& run) { return run.text("classes") == runs.front().text("classes"); });
  if (same_classes && !runs.empty()) plots[3].references = guessing(runs.front());
  std::string large, small;
  for (const Plot& plot : plots) (plot.named ? large : small) += to_html(plot);
  return in_grid(large) + in_grid(small, " small");
}

}  // namespace minception::report
