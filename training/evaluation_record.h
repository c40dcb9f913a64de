#pragma once
/// evaluation.json: what the last test of a run found, with the images of its worst mistakes, so that a report can be made
/// without the data set.

#include <minception/data/image_dataset.h>
#include <minception/training/evaluation.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace minception {

struct EvaluationRecord {
  std::string data;        ///< "fashion-mnist, test"
  std::int64_t epoch = 0;  ///< after which it was made; 0: not during training
  std::int64_t step = 0;
  std::vector<std::string> class_names;
  Evaluation evaluation;
  std::vector<std::vector<std::uint8_t>>
      mistake_images;                           ///< PNG files, one per mistake; empty in a build without libpng
  std::vector<std::string> mistake_files = {};  ///< absolute paths, one per mistake; empty where images have no files
};

/// Takes the images of the mistakes from the data set that was tested on.
EvaluationRecord make_evaluation_record(std::string data, std::int64_t epoch, std::int64_t step, Evaluation evaluation,
                                        const ImageDataset& dataset);

/// JSON of a few lines:
/// {"data", "epoch", "step", "samples", "loss", "top1", "top5", "class_names": [...], "confusion": [[...], ...] (a row
/// per label), "mistakes": [{"index", "label", "predicted", "probability", "image": base64 of a PNG, "file": path},
/// ...]}.
/// Numbers that are not finite are null.
std::string to_json(const EvaluationRecord& record);
/// Reads such a file. Throws Error with the file name for one that is not there or says something else.
EvaluationRecord read_evaluation_record(const std::filesystem::path& path);

/// Base64 (RFC 4648), with padding.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace minception
