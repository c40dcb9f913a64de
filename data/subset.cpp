#include <minception/core/error.h>
#include <minception/data/subset.h>

#include <algorithm>
#include <cstddef>

namespace minception {
namespace {

void append(ImageDataset& to, const ImageDataset& from, std::int64_t index, std::int32_t label) {
  const auto bytes = static_cast<std::ptrdiff_t>(from.image.elements());
  const auto begin = from.pixels.begin() + index * bytes;
  to.pixels.insert(to.pixels.end(), begin, begin + bytes);
  to.labels.push_back(label);
}

}  // namespace

void hold_out(Dataset& dataset, std::int64_t count) {
  const ImageDataset& all = dataset.train;
  const std::int64_t n = all.size();
  require(count >= 1 && count < n, "cannot hold out ", count, " of ", n, " training images: 1 to ", n - 1, " can be");
  ImageDataset train = {.image = all.image, .pixels = {}, .labels = {}, .class_names = all.class_names};
  ImageDataset held = train;
  train.pixels.reserve(static_cast<std::size_t>((n - count) * all.image.elements()));
  held.pixels.reserve(static_cast<std::size_t>(count * all.image.elements()));
  for (std::int64_t i = 0; i < n; ++i) {
    const bool goes = (i + 1) * count / n > i * count / n;
    append(goes ? held : train, all, i, all.labels[static_cast<std::size_t>(i)]);
  }
  dataset.train = std::move(train);
  dataset.test = std::move(held);
}

ImageDataset keep_classes(const ImageDataset& dataset, std::span<const std::int32_t> classes) {
  const auto known = static_cast<std::int32_t>(dataset.class_names.size());
  require(!classes.empty(), "no class is named; one at least is needed");
  ImageDataset kept = {.image = dataset.image, .pixels = {}, .labels = {}, .class_names = {}};
  std::vector<std::int32_t> label(dataset.class_names.size(), -1);
  for (const std::int32_t c : classes) {
    require(c >= 0 && c < known, "there is no class ", c, ": those of the data set are 0 to ", known - 1);
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
  require(count >= 1, "cannot keep ", count, " images of each class: 1 at least can be");
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
