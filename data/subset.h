#pragma once
/// Parts of data sets.

#include <minception/data/image_dataset.h>

#include <cstdint>
#include <span>
#include <vector>

namespace minception {

/// Which samples of a data set are loaded, and which of the training images are for validation.
struct Selection {
  /// This number of training images is for validation, evenly spaced: image i of n goes if floor((i + 1) count / n) >
  /// floor(i count / n), so that each class gives its share where images are sorted by class. 0: see validation_fraction.
  std::int64_t hold_out = 0;
  /// This fraction of the training images is for validation, in [0, 1): evenly spaced likewise, of a folder at random in
  /// each class. Rounded; at least one image and not all. 0: none.
  double validation_fraction = 0.0;
  std::int64_t train = 0;  ///< the first so many of the remaining training images; 0: all
  std::int64_t test = 0;   ///< the first so many of the test images; at most so many validation images; 0: all
  const char* train_option = "--limit-train";  ///< named in messages, and the next one likewise
  const char* test_option = "--limit-test";
};

/// Samples by their index in the part that they come from, in ascending order.
struct SelectedSamples {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;  ///< indices into the training part
  std::vector<std::int64_t> test;
};

/// Samples that a selection takes from parts of these sizes. Throws Error, naming the option, if there are too few.
SelectedSamples select(const Selection& selection, std::int64_t train_count, std::int64_t test_count);

/// `limit`, or `count` where the limit is 0. Throws Error, naming the option, for a negative limit, and for one that is
/// larger than `count` unless `count` is 0.
std::int64_t limited(std::int64_t count, std::int64_t limit, const char* option);

/// How many leading samples of the training part, and of the test part, hold all that a selection takes.
std::int64_t leading_train(const Selection& selection, std::int64_t count);
std::int64_t leading_test(const Selection& selection, std::int64_t count);

/// The data set of a selection, from parts of which the leading samples were loaded. The sizes are those of the whole parts.
void keep_selected(Dataset& dataset, const Selection& selection, std::int64_t train_count, std::int64_t test_count);

/// The images of these classes alone, in their order; `classes[k]` has the label k. Throws Error for a class that is not
/// there, or is named twice, and if none is named.
ImageDataset keep_classes(const ImageDataset& dataset, std::span<const std::int32_t> classes);

/// The first `count` images of each class, in their order. Throws Error if a class has fewer, and unless 1 <= count.
ImageDataset keep_per_class(const ImageDataset& dataset, std::int64_t count);

}  // namespace minception
