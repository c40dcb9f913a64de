#pragma once
/// Selection of samples from data sets.

#include "data/image_dataset.h"

#include <cstdint>
#include <span>
#include <vector>

namespace minception {

/// Selects the samples to load and the training images used for validation.
struct Selection {
  /// Number of training images used for validation, evenly spaced: image i of n is taken if
  /// floor((i + 1) hold_out / n) > floor(i hold_out / n), so that classes contribute in proportion if images are sorted
  /// by class. 0: see validation_fraction.
  std::int64_t hold_out = 0;
  /// Fraction of the training images used for validation, in [0, 1): evenly spaced as above; for image folders, random
  /// in each class. Rounded; at least one image and not all. 0: none.
  double validation_fraction = 0.0;
  std::int64_t train = 0;  ///< limit on the remaining training images, keeping the first; 0: all
  std::int64_t test = 0;   ///< limit on test images and on validation images, keeping the first; 0: all
};

/// Throws Error, naming the field, for invalid values.
void check(const Selection& selection);

/// Indices of the selected samples in their part, ascending.
struct SelectedSamples {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;  ///< indices into the training part
  std::vector<std::int64_t> test;
};

/// Applies a selection to parts of these sizes. Throws Error like `check`, and if there are too few samples.
SelectedSamples select(const Selection& selection, std::int64_t train_count, std::int64_t test_count);

/// `limit`, or `count` if the limit is 0; at most `count`. Throws Error, naming the field, if it is larger than `count`,
/// unless `count` is 0.
std::int64_t limited(std::int64_t count, std::int64_t limit, const char* field);

/// Number of leading samples of the training and of the test part that contain all selected samples.
std::int64_t leading_train(const Selection& selection, std::int64_t count);
std::int64_t leading_test(const Selection& selection, std::int64_t count);

/// Reduces a data set, whose parts hold at least the leading samples, to the selection. `train_count` and `test_count`
/// are the sizes of the complete parts.
void keep_selected(Dataset& dataset, const Selection& selection, std::int64_t train_count, std::int64_t test_count);

/// Keeps only the images of these classes, in their order; `classes[k]` gets label k. Throws Error for an unknown or
/// repeated class and for an empty list.
ImageDataset keep_classes(const ImageDataset& dataset, std::span<const std::int32_t> classes);

/// Keeps the first `count` images of each class, in their order. Throws Error if a class has fewer, and if count < 1.
ImageDataset keep_per_class(const ImageDataset& dataset, std::int64_t count);

}  // namespace minception
