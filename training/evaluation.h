#pragma once
/// Evaluation of a network on a data set: loss, top-1, top-5, confusion matrix and most confident mistakes.

#include "data/image_dataset.h"
#include "models/classifier.h"
#include "models/network.h"
#include "training/batch_source.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// A misclassified sample.
struct Mistake {
  std::int64_t index = 0;  ///< in the data set
  std::int32_t label = 0;
  std::int32_t predicted = 0;
  double probability = 0.0;  ///< probability of `predicted`
};

struct Evaluation {
  std::int64_t samples = 0;
  double loss = 0.0;  ///< mean cross-entropy, without label smoothing
  double top1 = 0.0;  ///< fraction of samples whose label has the largest logit
  double top5 = 0.0;  ///< fraction of samples whose label is among the five largest logits
  std::int64_t classes = 0;
  std::vector<std::int64_t> confusion;  ///< (label, predicted): counts, classes x classes
  std::vector<Mistake> mistakes;        ///< most confident first
  std::int64_t not_finite = 0;          ///< number of samples with a NaN or infinite logit
  std::int64_t first_not_finite = -1;   ///< index of the first such sample; -1: none
};

struct EvaluationOptions {
  std::int64_t batch_size = 0;    ///< 0: the network's max_batch
  std::size_t most_mistakes = 0;  ///< number of mistakes to keep
};

struct EvaluationProgress {
  std::int64_t done = 0;
  std::int64_t total = 0;
  double loss = 0.0;  ///< mean so far
  double top1 = 0.0;
};

/// Evaluates the network with running statistics over all samples in order; `labels` are their labels. Sums are
/// computed on the host in double, so the batch size affects them only through the rounding of the logits. Equal logits
/// rank by the lower class index; a NaN logit is never correct. If `report` returns false, evaluation stops early;
/// `samples` is the number evaluated.
Evaluation evaluate(Network& network, BatchSource& feed, std::span<const std::int32_t> labels,
                    const EvaluationOptions& options = {},
                    const std::function<bool(const EvaluationProgress&)>& report = {});

/// Evaluates weights from a file, which errors name, on all images. The network must be made for inference on images of
/// this shape (NetworkOptions::dataset_image). Throws Error if the weights overflow, naming the layer (find_overflow), or
/// if logits are not finite.
Evaluation evaluate(Network& network, const std::string& weights_file, const ImageDataset& images,
                    const EvaluationOptions& options = {},
                    const std::function<bool(const EvaluationProgress&)>& report = {});

/// Evaluates a classifier on all images, with the results of the tool `evaluate`. The images must be loaded as those of
/// its training: same channels and size. Throws Error like the function above, without images, and if the classes are
/// not those of the classifier.
Evaluation evaluate(const Classifier& classifier, const ImageDataset& images, const EvaluationOptions& options = {});
/// The same on the test images; without any, on the validation images; without those, on the training images.
Evaluation evaluate(const Classifier& classifier, const Dataset& dataset, const EvaluationOptions& options = {});

/// Scores of one class. Recall is NaN without samples of the class; precision is NaN if the class was never predicted.
struct ClassScores {
  std::int64_t samples = 0;    ///< samples with this label
  std::int64_t predicted = 0;  ///< samples predicted as this class
  double recall = 0.0;         ///< fraction of its samples that are predicted correctly
  double precision = 0.0;      ///< fraction of its predictions that are correct
};

std::vector<ClassScores> class_scores(const Evaluation& evaluation);

/// Text table: loss, top-1 and top-5, then recall and precision per class with the confusion matrix; for more than 20
/// classes the most frequent confusions replace the matrix.
std::string evaluation_table(const Evaluation& evaluation, const std::vector<std::string>& class_names);

}  // namespace minception
