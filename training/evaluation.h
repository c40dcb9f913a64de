#pragma once
/// How good a network is on a data set: loss, top-1, top-5, the confusion matrix and the worst mistakes.

#include <minception/models/network.h>
#include <minception/training/feed.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// A sample that the network got wrong.
struct Mistake {
  std::int64_t index = 0;  ///< in the data set
  std::int32_t label = 0;
  std::int32_t predicted = 0;
  double probability = 0.0;  ///< that the network gave to `predicted`
};

struct Evaluation {
  std::int64_t samples = 0;
  double loss = 0.0;  ///< mean cross-entropy, without label smoothing
  double top1 = 0.0;  ///< part of the samples whose label has the largest logit
  double top5 = 0.0;  ///< whose label is among the five largest
  std::int64_t classes = 0;
  std::vector<std::int64_t> confusion;  ///< (label, predicted): samples, classes x classes
  std::vector<Mistake> mistakes;        ///< most confident first
  std::int64_t not_finite = 0;          ///< samples with a logit that is NaN or infinite
  std::int64_t first_not_finite = -1;   ///< index of the first of them
};

struct EvaluationOptions {
  std::int64_t batch_size = 0;    ///< 0: the network's largest
  std::size_t most_mistakes = 0;  ///< how many mistakes are kept
};

struct EvaluationProgress {
  std::int64_t done = 0;
  std::int64_t total = 0;
  double loss = 0.0;  ///< mean so far
  double top1 = 0.0;
};

/// Runs the network, with running statistics, over the samples in their own order; `labels` are theirs. Sums are made on
/// the host, in double, from the logits: a batch size does not show in them beyond the rounding of the logits. A label
/// counts as beaten by every logit that is not smaller or equal, so NaN is never right; equal logits go to the lower
/// class. `report` returns false to stop early: `samples` tells how far it got.
Evaluation evaluate(Network& network, Feed& feed, std::span<const std::int32_t> labels,
                    const EvaluationOptions& options = {},
                    const std::function<bool(const EvaluationProgress&)>& report = {});

/// How well a network tells one class. The recall of a class without samples is NaN, and so is the precision of a class that
/// was predicted for no sample.
struct ClassScores {
  std::int64_t samples = 0;    ///< whose label it is
  std::int64_t predicted = 0;  ///< that the network took for it
  double recall = 0.0;         ///< part of the samples that were predicted
  double precision = 0.0;      ///< part of those predicted that are right
};

std::vector<ClassScores> class_scores(const Evaluation& evaluation);

/// For people: loss, top-1 and top-5, then recall and precision of each class beside the confusion matrix, or, for more
/// than 20 classes, before the most frequent confusions.
std::string evaluation_table(const Evaluation& evaluation, const std::vector<std::string>& class_names);

}  // namespace minception
