#pragma once
/// evaluation.json: result of a run's last evaluation with the images of its worst mistakes, so that a report needs no
/// data set.

#include "data/image_dataset.h"
#include "training/evaluation.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace minception {

/// Activations of a layer as tiles.
struct LayerPicture {
  std::string layer;
  std::int64_t channels = 0, shown = 0, height = 0, width = 0;
  std::vector<std::uint8_t> png;
  bool operator==(const LayerPicture&) const = default;
};

/// The inside of a network: the filters of its first layer, and the activations for one image. Pictures are PNG files.
struct InsidePictures {
  std::int64_t index = 0;  ///< of the image in the evaluated data set
  std::int32_t label = 0, predicted = 0;
  double probability = 0.0;  ///< of the predicted class
  std::vector<std::uint8_t> image;
  std::string file = {};              ///< absolute path; "": images have no files
  std::vector<std::uint8_t> map;      ///< what speaks for the predicted class as heat; empty: no class activation maps
  std::vector<LayerPicture> layers;   ///< from the input on
  std::string first_layer;            ///< "": no convolution
  std::vector<std::int64_t> filters;  ///< shape (K, C, R, S)
  std::vector<std::uint8_t> filters_png;
  bool operator==(const InsidePictures&) const = default;
};

struct EvaluationRecord {
  std::string data;        ///< "fashion-mnist, test"
  std::int64_t epoch = 0;  ///< epoch after which it was made; 0: not during training
  std::int64_t step = 0;
  std::vector<std::string> class_names;
  Evaluation evaluation;
  std::vector<std::vector<std::uint8_t>>
      mistake_images;                           ///< PNG files, one per mistake; empty in a build without libpng
  std::vector<std::string> mistake_files = {};  ///< absolute paths, one per mistake; empty if images have no files
  /// PNG files, one per mistake: the class activation map of the predicted class as heat. Empty without libpng, and for
  /// networks without such maps (models/explanation.h).
  std::vector<std::vector<std::uint8_t>> mistake_maps = {};
  std::optional<InsidePictures> inside = {};  ///< nullopt without libpng
};

/// Takes the mistakes' images from the evaluated data set.
EvaluationRecord make_evaluation_record(std::string data, std::int64_t epoch, std::int64_t step, Evaluation evaluation,
                                        const ImageDataset& dataset);

/// Adds the maps of the mistakes. The network's inference input becomes another one. Adds nothing if weights or activations
/// are not finite.
void add_mistake_maps(EvaluationRecord& record, Network& network, const ImageDataset& dataset);

/// Adds the pictures of the network's inside, for the first image of the data set that it classifies correctly among the
/// first batch, or else the first image. The network's inference input becomes another one. Adds nothing if weights or
/// activations are not finite.
void add_inside_pictures(EvaluationRecord& record, Network& network, const ImageDataset& dataset);

/// JSON with one line per key: {"data", "epoch", "step", "samples", "loss", "top1", "top5", "class_names": [...],
/// "confusion": [[...], ...] (a row per label), "mistakes": [{"index", "label", "predicted", "probability", "image":
/// base64 of a PNG, "file": path, "map": base64 of a PNG}, ...], "inside": {...}}, where "inside" has the members of
/// InsidePictures. Values that are not finite are null.
std::string to_json(const EvaluationRecord& record);
/// Throws Error, naming the file, if it is missing or not a valid record.
EvaluationRecord read_evaluation_record(const std::filesystem::path& path);

/// Base64 (RFC 4648), with padding.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace minception
