#include "training/evaluation.h"
#include "core/error.h"
#include "models/finite.h"
#include "models/graph.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace minception {
namespace {

/// Evaluation of one row of logits.
struct Answer {
  double loss = 0.0;
  double probability = 0.0;       // of `predicted`
  std::int64_t beaten_by = 0;     // number of classes ranked above the label
  std::int64_t predicted = 0;     // equals the label exactly if beaten_by is 0
  bool label_is_a_number = true;  // false for a NaN logit, which is never correct, even in top-5 of four classes
};

Answer judge(std::span<const double> logits, std::int64_t label) {
  const auto classes = static_cast<std::int64_t>(logits.size());
  const auto logit = [&](std::int64_t c) { return logits[static_cast<std::size_t>(c)]; };
  const double of_label = logit(label);
  Answer answer{.predicted = -1, .label_is_a_number = !std::isnan(of_label)};
  for (std::int64_t c = 0; c < classes; ++c) {
    if (!(logit(c) <= of_label) || (c < label && logit(c) == of_label)) ++answer.beaten_by;
    // NaN ranks above every number and the first NaN wins; a NaN at the label ranks below all other classes.
    if (c == label && !answer.label_is_a_number) continue;
    const bool first = answer.predicted < 0;
    if (first || (!std::isnan(logit(answer.predicted)) && !(logit(c) <= logit(answer.predicted)))) answer.predicted = c;
  }
  if (answer.predicted < 0) answer.predicted = label;  // single class

  // Subtracting the largest logit prevents overflow; if it is infinite, the loss becomes NaN.
  const double largest = logit(answer.predicted);
  double sum = 0.0;
  for (double value : logits) sum += std::exp(value - largest);
  answer.probability = 1.0 / sum;
  answer.loss = std::log(sum) - (of_label - largest);
  return answer;
}

/// Sort order of mistakes; a NaN probability counts as the least confident.
bool more_confident(const Mistake& a, const Mistake& b) {
  const auto confidence = [](const Mistake& m) { return std::isnan(m.probability) ? -1.0 : m.probability; };
  return confidence(a) != confidence(b) ? confidence(a) > confidence(b) : a.index < b.index;
}

template <class... Args>
std::string formatted(const char* format, Args... args) {
  char text[64];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

/// Terminal columns of UTF-8 text: counts the bytes that start a character.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t used = columns(text);
  return text + std::string(used < width ? width - used : 0, ' ');
}

std::string right_aligned(const std::string& text, std::size_t width) {
  return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
}

std::string in_percent(double part) {
  return std::isnan(part) ? right_aligned("-", 8) : formatted("%6.2f %%", 100.0 * part);
}

/// A row per class with recall and precision; with `matrix` also its row of the confusion matrix.
std::string class_table(const Evaluation& evaluation, const std::vector<std::string>& class_names, bool matrix) {
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  const std::int64_t most = *std::max_element(evaluation.confusion.begin(), evaluation.confusion.end());
  const std::size_t cell = std::max<std::size_t>(5, 2 + std::to_string(most).size());
  std::size_t widest = std::string("class").size();
  for (const std::string& name : class_names) widest = std::max(widest, columns(name));

  std::string text = "    " + padded("class", widest) + "    recall  precision";
  if (matrix) {
    for (std::size_t c = 0; c < classes; ++c) text += right_aligned(std::to_string(c), cell);
    text += "  <- predicted";
  }
  text += '\n';
  const std::vector<ClassScores> scores = class_scores(evaluation);
  for (std::size_t label = 0; label < classes; ++label) {
    text += right_aligned(std::to_string(label), 3) + " " + padded(class_names[label], widest) + "  " +
            in_percent(scores[label].recall) + "   " + in_percent(scores[label].precision);
    const std::int64_t* row = evaluation.confusion.data() + label * classes;
    for (std::size_t c = 0; matrix && c < classes; ++c) {
      text += right_aligned(row[c] == 0 ? "." : std::to_string(row[c]), cell);
    }
    text += '\n';
  }
  return text;
}

/// The largest off-diagonal cells.
std::string frequent_confusions(const Evaluation& evaluation, const std::vector<std::string>& class_names) {
  constexpr std::size_t kMost = 20;
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  std::vector<std::size_t> cells;
  for (std::size_t i = 0; i < evaluation.confusion.size(); ++i) {
    if (evaluation.confusion[i] > 0 && i / classes != i % classes) cells.push_back(i);
  }
  std::stable_sort(cells.begin(), cells.end(),
                   [&](std::size_t a, std::size_t b) { return evaluation.confusion[a] > evaluation.confusion[b]; });
  cells.resize(std::min(kMost, cells.size()));
  if (cells.empty()) return "no class was confused with another\n";
  std::size_t widest = std::string("class").size();
  for (std::size_t cell : cells) widest = std::max(widest, columns(class_names[cell / classes]));
  std::string text = "most frequent confusions\n samples  " + padded("class", widest) + "  predicted\n";
  for (std::size_t cell : cells) {
    text += right_aligned(std::to_string(evaluation.confusion[cell]), 8) + "  " +
            padded(class_names[cell / classes], widest) + "  " + class_names[cell % classes] + "\n";
  }
  return text;
}

}  // namespace

Evaluation evaluate(Network& network, BatchSource& feed, std::span<const std::int32_t> labels,
                    const EvaluationOptions& options, const std::function<bool(const EvaluationProgress&)>& report) {
  const std::int64_t total = feed.size();
  const std::int64_t classes = network.model().config.classes;
  const std::int64_t max_batch = network.options().max_batch;
  const std::int64_t batch_size = options.batch_size == 0 ? max_batch : options.batch_size;
  require(batch_size >= 1 && batch_size <= max_batch, "a batch size of ", batch_size,
          ": the network was planned for 1 to ", max_batch);
  require(total >= 1, "no samples to evaluate");
  require(static_cast<std::int64_t>(labels.size()) == total, labels.size(), " labels for ", total, " samples");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0 && labels[i] < classes, "sample ", i, " has the label ", labels[i], ": the network has ",
            classes, " classes");
  }

  Evaluation evaluation{.classes = classes};
  evaluation.confusion.resize(static_cast<std::size_t>(classes * classes));
  double loss = 0.0;
  std::int64_t top1 = 0, top5 = 0;
  feed.start(network, Mode::inference, {.batch_size = batch_size});
  for (bool go_on = true; go_on && evaluation.samples < total;) {
    const std::int64_t batch = std::min(batch_size, total - evaluation.samples);
    feed.next(batch);
    network.infer(batch);
    const std::vector<double> logits = network.logits(Mode::inference, batch);
    for (std::int64_t i = 0; i < batch; ++i) {
      const std::int64_t index = evaluation.samples + i;
      const std::int32_t label = labels[static_cast<std::size_t>(index)];
      const auto row =
          std::span(logits).subspan(static_cast<std::size_t>(i * classes), static_cast<std::size_t>(classes));
      const Answer answer = judge(row, label);
      if (!std::all_of(row.begin(), row.end(), [](double logit) { return std::isfinite(logit); })) {
        if (evaluation.not_finite++ == 0) evaluation.first_not_finite = index;
      }
      loss += answer.loss;
      const bool right = answer.label_is_a_number && answer.beaten_by == 0;
      if (right) ++top1;
      if (answer.label_is_a_number && answer.beaten_by < 5) ++top5;
      ++evaluation.confusion[static_cast<std::size_t>(label * classes + answer.predicted)];
      if (!right && options.most_mistakes > 0) {
        evaluation.mistakes.push_back({index, label, static_cast<std::int32_t>(answer.predicted), answer.probability});
      }
    }
    evaluation.samples += batch;
    const auto done = static_cast<double>(evaluation.samples);
    evaluation.loss = loss / done;
    evaluation.top1 = static_cast<double>(top1) / done;
    evaluation.top5 = static_cast<double>(top5) / done;
    if (report) {
      go_on = report({.done = evaluation.samples, .total = total, .loss = evaluation.loss, .top1 = evaluation.top1});
    }
  }
  network.reset_metrics();  // so that the next metrics start at 0

  const std::size_t kept = std::min(options.most_mistakes, evaluation.mistakes.size());
  const auto end_of_kept = evaluation.mistakes.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(evaluation.mistakes.begin(), end_of_kept, evaluation.mistakes.end(), more_confident);
  evaluation.mistakes.resize(kept);
  return evaluation;
}

Evaluation evaluate(Network& network, const std::string& weights_file, const ImageDataset& images,
                    const EvaluationOptions& options, const std::function<bool(const EvaluationProgress&)>& report) {
  const ResidentDataset resident = make_resident(network.backend(), images.image, images.all_pixels(), images.labels);
  ResidentBatchSource feed(resident);
  feed.start(network, Mode::inference, {.batch_size = 1});
  feed.next(1);
  const std::string overflow = find_overflow(network, 1);
  require(overflow.empty(), weights_file, ": these weights overflow, first in ", overflow);
  Evaluation evaluation = evaluate(network, feed, images.labels, options, report);
  require(evaluation.not_finite == 0, weights_file, ": ", evaluation.not_finite, " of ", evaluation.samples,
          " images have logits that are not finite; the first is image ", evaluation.first_not_finite,
          ": these weights overflow and give no prediction");
  return evaluation;
}

Evaluation evaluate(const Classifier& classifier, const ImageDataset& images, const EvaluationOptions& options) {
  const std::string& file = classifier.weights_file();
  require(images.size() > 0, "no images to evaluate ", file, " on");
  const std::int64_t channels = classifier.config().input[0];
  require(images.image[0] == channels, file, ": its model takes images of ", channels, " channels, these have ",
          images.image[0]);
  check_class_names(file, classifier.class_names(), "the data set", images.class_names);
  constexpr std::int64_t kBatch = 256;
  const Network& trained = classifier.network();
  Network network(clone(trained.model()), classifier.backend(),
                  {.max_batch = std::min(options.batch_size == 0 ? kBatch : options.batch_size, images.size()),
                   .training = false,
                   .dataset_image = images.image,
                   .scale = trained.options().scale,
                   .shift = trained.options().shift});
  network.load_state(trained.state());
  return evaluate(network, file, images, {.most_mistakes = options.most_mistakes});
}

Evaluation evaluate(const Classifier& classifier, const Dataset& dataset, const EvaluationOptions& options) {
  const ImageDataset& images = dataset.test.size() > 0         ? dataset.test
                               : dataset.validation.size() > 0 ? dataset.validation
                                                               : dataset.train;
  return evaluate(classifier, images, options);
}

std::vector<ClassScores> class_scores(const Evaluation& evaluation) {
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  std::vector<ClassScores> scores(classes);
  for (std::size_t label = 0; label < classes; ++label) {
    for (std::size_t predicted = 0; predicted < classes; ++predicted) {
      const std::int64_t count = evaluation.confusion[label * classes + predicted];
      scores[label].samples += count;
      scores[predicted].predicted += count;
    }
  }
  for (std::size_t c = 0; c < classes; ++c) {
    const auto right = static_cast<double>(evaluation.confusion[c * classes + c]);
    scores[c].recall = right / static_cast<double>(scores[c].samples);  // NaN for 0 / 0
    scores[c].precision = right / static_cast<double>(scores[c].predicted);
  }
  return scores;
}

std::string evaluation_table(const Evaluation& evaluation, const std::vector<std::string>& class_names) {
  constexpr std::int64_t kReadable = 20;
  require(static_cast<std::int64_t>(class_names.size()) == evaluation.classes, class_names.size(), " class names for ",
          evaluation.classes, " classes");
  return formatted("loss %.4f  accuracy %.2f %%", evaluation.loss, 100.0 * evaluation.top1) +
         (evaluation.classes > 5 ? formatted("  top-5 %.2f %%\n\n", 100.0 * evaluation.top5) : "\n\n") +
         (evaluation.classes <= kReadable
              ? class_table(evaluation, class_names, true)
              : class_table(evaluation, class_names, false) + "\n" + frequent_confusions(evaluation, class_names));
}

}  // namespace minception
