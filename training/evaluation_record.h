#pragma once
/// evaluation.json: result of a run's last evaluation with the images of its worst mistakes, so that a report needs no
/// data set.

#include "data/image_dataset.h"
#include "training/evaluation.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace minception {

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
};

/// Takes the mistakes' images from the evaluated data set.
EvaluationRecord make_evaluation_record(std::string data, std::int64_t epoch, std::int64_t step, Evaluation evaluation,
                                        const ImageDataset& dataset);

/// Adds the maps of the mistakes. The network's inference input becomes another one. Adds nothing if weights or activations
/// are not finite.
void add_mistake_maps(EvaluationRecord& record, Network& network, const ImageDataset& dataset);

/// JSON with one line per key: {"data", "epoch", "step", "samples", "loss", "top1", "top5", "class_names": [...],
/// "confusion": [[...], ...] (a row per label), "mistakes": [{"index", "label", "predicted", "probability", "image":
/// base64 of a PNG, "file": path, "map": base64 of a PNG}, ...]}. Values that are not finite are null.
std::string to_json(const EvaluationRecord& record);
/// Throws Error, naming the file, if it is missing or not a valid record.
EvaluationRecord read_evaluation_record(const std::filesystem::path& path);

/// Base64 (RFC 4648), with padding.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace minception
