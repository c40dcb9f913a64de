#pragma once
/// Parts of data sets.

#include <minception/data/image_dataset.h>

#include <cstdint>
#include <span>
#include <vector>

namespace minception {

/// Which samples of a data set are loaded.
struct Selection {
  std::int64_t hold_out =
      0;                   ///< so many training images take the place of the test images, as hold_out chooses; 0: none
  std::int64_t train = 0;  ///< the first so many of the training images that are left; 0: all
  std::int64_t test = 0;   ///< the first so many of the test images; 0: all
  const char* train_option = "--limit-train";  ///< named in messages, and the next one likewise
  const char* test_option = "--limit-test";
};

/// Samples by their index in the part that they come from, in ascending order.
struct SelectedSamples {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> test;  ///< with `held_out` of the training part
  bool held_out = false;
};

/// What a selection takes from parts of these sizes. Throws Error, naming the option, if there are not so many.
SelectedSamples select(const Selection& selection, std::int64_t train_count, std::int64_t test_count);

/// How many leading samples of the training part, and of the test part, hold all that a selection takes.
std::int64_t leading_train(const Selection& selection, std::int64_t count);
std::int64_t leading_test(const Selection& selection, std::int64_t count);

/// The data set of a selection, from parts of which the leading samples were loaded. The sizes are those of the whole parts.
void keep_selected(Dataset& dataset, const Selection& selection, std::int64_t train_count, std::int64_t test_count);

/// Takes `count` of the training images away, evenly spaced, and puts them in the place of the test images: settings are
/// chosen by these, so that the test images have no part in the choice. Image i of n goes if floor((i + 1) count / n) >
/// floor(i count / n), which takes as large a part of each class where images are sorted by class. Throws Error unless
/// 1 <= count < n.
void hold_out(Dataset& dataset, std::int64_t count);

/// The images of these classes alone, in their order; `classes[k]` has the label k. Throws Error for a class that is not
/// there, or is named twice, and if none is named.
ImageDataset keep_classes(const ImageDataset& dataset, std::span<const std::int32_t> classes);

/// The first `count` images of each class, in their order. Throws Error if a class has fewer, and unless 1 <= count.
ImageDataset keep_per_class(const ImageDataset& dataset, std::int64_t count);

}  // namespace minception
