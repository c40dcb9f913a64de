#include "data/subset.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace minception {
namespace {

void append(ImageDataset& to, const ImageDataset& from, std::int64_t index, std::int32_t label) {
  const std::span<const std::uint8_t> pixels = from.pixels_of(index);
  to.pixels.insert(to.pixels.end(), pixels.begin(), pixels.end());
  to.labels.push_back(label);
  if (!from.files.empty()) to.files.push_back(from.files[static_cast<std::size_t>(index)]);
}

ImageDataset taken(const ImageDataset& part, const std::vector<std::int64_t>& indices) {
  ImageDataset kept = {.image = part.image, .pixels = {}, .labels = {}, .class_names = part.class_names};
  kept.pixels.reserve(indices.size() * static_cast<std::size_t>(part.image.elements()));
  for (const std::int64_t i : indices) append(kept, part, i, part.labels[static_cast<std::size_t>(i)]);
  return kept;
}

void keep(ImageDataset& part, const std::vector<std::int64_t>& indices) {
  // Indices are distinct: if there are as many as samples, all samples are kept.
  if (static_cast<std::int64_t>(indices.size()) < part.size()) part = taken(part, indices);
}

}  // namespace

void check(const Selection& s) {
  require(s.validation_fraction >= 0.0 && s.validation_fraction < 1.0,
          Setting{"validation_fraction", s.validation_fraction}, ": must be 0 or more and below 1");
  for (const auto& [name, value] : {std::pair{"hold_out", s.hold_out}, std::pair{"Selection::train", s.train},
                                    std::pair{"Selection::test", s.test}}) {
    require(value >= 0, Setting{name, value}, ": must be 0 or more");
  }
  require(s.validation_fraction == 0.0 || s.hold_out == 0, Field{"validation_fraction"}, " and ", Field{"hold_out"},
          " cannot be combined: both set the number of validation images");
}

std::int64_t limited(std::int64_t count, std::int64_t limit, const char* field) {
  require(limit <= count || count == 0, Setting{field, limit}, ": there are only ", count, " images");
  return limit > 0 ? std::min(limit, count) : count;
}

SelectedSamples select(const Selection& selection, std::int64_t train_count, std::int64_t test_count) {
  check(selection);
  const std::int64_t n = train_count;
  std::int64_t held = selection.hold_out;
  require(held == 0 || held < n, Setting{"hold_out", held}, ": there are ", n, " training images; hold out 1 to ",
          n - 1);
  if (held == 0 && selection.validation_fraction > 0.0) {
    require(n >= 2, Setting{"validation_fraction", selection.validation_fraction}, ": there are only ", n,
            " training images");
    held = std::clamp<std::int64_t>(std::llround(selection.validation_fraction * static_cast<double>(n)), 1, n - 1);
  }
  SelectedSamples selected;
  for (std::int64_t i = 0; i < n; ++i) {
    const bool goes = held > 0 && (i + 1) * held / n > i * held / n;
    (goes ? selected.validation : selected.train).push_back(i);
  }
  for (std::int64_t i = 0; i < test_count; ++i) selected.test.push_back(i);
  const auto keep_first = [](std::vector<std::int64_t>& indices, std::int64_t limit, const char* field) {
    indices.resize(static_cast<std::size_t>(limited(std::ssize(indices), limit, field)));
  };
  keep_first(selected.train, selection.train, "Selection::train");
  if (selection.test > 0 && std::ssize(selected.validation) > selection.test) {
    selected.validation.resize(static_cast<std::size_t>(selection.test));
  }
  keep_first(selected.test, selection.test, "Selection::test");
  return selected;
}

std::int64_t leading_train(const Selection& selection, std::int64_t count) {
  const bool validates = selection.hold_out > 0 || selection.validation_fraction > 0.0;
  return selection.train > 0 && !validates ? std::min(selection.train, count) : count;
}

std::int64_t leading_test(const Selection& selection, std::int64_t count) {
  return selection.test > 0 ? std::min(selection.test, count) : count;
}

void keep_selected(Dataset& dataset, const Selection& selection, std::int64_t train_count, std::int64_t test_count) {
  const SelectedSamples selected = select(selection, train_count, test_count);
  dataset.validation = taken(dataset.train, selected.validation);
  keep(dataset.train, selected.train);
  keep(dataset.test, selected.test);
}

ImageDataset keep_classes(const ImageDataset& dataset, std::span<const std::int32_t> classes) {
  const auto known = static_cast<std::int32_t>(dataset.class_names.size());
  require(!classes.empty(), "no class was given; name at least one");
  ImageDataset kept = {.image = dataset.image, .pixels = {}, .labels = {}, .class_names = {}};
  std::vector<std::int32_t> label(dataset.class_names.size(), -1);
  for (const std::int32_t c : classes) {
    require(c >= 0 && c < known, "class ", c, " does not exist: the classes are 0 to ", known - 1);
    std::int32_t& new_label = label[static_cast<std::size_t>(c)];
    require(new_label < 0, "class ", c, " is named twice");
    new_label = static_cast<std::int32_t>(kept.class_names.size());
    kept.class_names.push_back(dataset.class_names[static_cast<std::size_t>(c)]);
  }
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const std::int32_t now = label[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(i)])];
    if (now >= 0) append(kept, dataset, i, now);
  }
  return kept;
}

ImageDataset keep_per_class(const ImageDataset& dataset, std::int64_t count) {
  require(count >= 1, "cannot keep ", count, " images of each class; keep at least 1");
  ImageDataset kept = {.image = dataset.image, .pixels = {}, .labels = {}, .class_names = dataset.class_names};
  std::vector<std::int64_t> taken(dataset.class_names.size(), 0);
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const std::int32_t label = dataset.labels[static_cast<std::size_t>(i)];
    std::int64_t& of_class = taken[static_cast<std::size_t>(label)];
    if (of_class == count) continue;
    ++of_class;
    append(kept, dataset, i, label);
  }
  for (std::size_t c = 0; c < taken.size(); ++c) {
    require(taken[c] == count, "cannot keep ", count, " images of each class: ", dataset.class_names[c], " has ",
            taken[c]);
  }
  return kept;
}

}  // namespace minception
