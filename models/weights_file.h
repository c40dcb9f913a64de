#pragma once
/// Weights files and their JSON metadata: model, image preprocessing and class names. One file is enough for
/// prediction.

#include "core/safetensors.h"
#include "models/network.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// Prefix of optimizer tensors in a checkpoint.
inline constexpr const char* kOptimizerPrefix = "optimizer.";
/// Prefix of moving averages (NetworkOptions::ema_decay), which inference prefers to the plain weights.
inline constexpr const char* kAveragePrefix = "average.";

/// Selects the tensors for inference: drops optimizer tensors and replaces parameters by their averages.
std::map<std::string, FileTensor> weights_among(std::map<std::string, FileTensor> tensors);

/// Names of the parameters that compute logits: those of the last parameterised layer of the main and each auxiliary
/// head. Their shapes depend on the number of classes.
std::vector<std::string> head_parameters(const Network& network);

/// Loads all parameters and statistics except head_parameters, which keep their values. For fine-tuning on other
/// classes. Throws Error like Network::load_state.
void load_all_but_heads(Network& network, std::map<std::string, FileTensor> weights);

std::map<std::string, std::string> weights_metadata(const Network& network,
                                                    const std::vector<std::string>& class_names);

struct WeightsFile {
  bool described = false;  ///< the file had no metadata; the rest follows from a WeightsDescription
  ModelConfig config;
  /// (C, H, W) of the training images before the resize to the model's input; defaults to the input. Other images are
  /// first resized to this, so that they are as sharp as in training.
  Shape image;
  ImageOptions image_options;       ///< how image files were converted to that size
  std::vector<float> scale, shift;  ///< y = pixel * scale + shift
  std::vector<std::string> class_names;
  /// Parameters and statistics in f32, as selected by weights_among.
  std::map<std::string, FileTensor> tensors;
};

/// Sets everything but the tensors from entries that `weights_metadata` made. Throws Error, naming `file`, if one is missing
/// or invalid.
void read_weights_metadata(const std::map<std::string, std::string>& entries, const std::string& file,
                           WeightsFile& weights);

/// (pixel - mean) / deviation for pixels in [0, 1]; one value for all channels or one per channel.
struct Normalization {
  std::vector<double> mean = {0.0}, deviation = {1.0};

  /// The same map for pixels from 0 to 255: y = pixel * scale + shift.
  std::vector<float> scale() const;
  std::vector<float> shift() const;
};

/// The shortest decimal numbers that reproduce `scale` and `shift` exactly; one per channel, or one if all channels
/// agree. nullopt if a deviation is not positive.
std::optional<Normalization> normalization_of(std::span<const float> scale, std::span<const float> shift);

/// Description of a file without metadata, such as a PyTorch state dict.
struct WeightsDescription {
  std::string model;  ///< name for make_model; "" for files with metadata
  Shape size;         ///< (H, W) of the input; rank 0: as in default_config
  ImageOptions image_options;
  Normalization normalization;
  bool transform_input = true;  ///< see ModelConfig
  bool if_needed = false;       ///< accept files with metadata, and ignore this description for them
};

/// Reads a file written by training: model.safetensors or a checkpoint. Throws Error, naming the file, if metadata from
/// `weights_metadata` is missing or invalid (for instance in a PyTorch file), and, naming the tensors, if values are
/// not finite (check_numbers).
///
/// With `described.model`, reads a file without metadata instead. Its tensors have that model's names, possibly with a
/// prefix (strip_prefix). Input channels and classes follow from the shapes of the first and last weights; classes are
/// named "0", "1" and so on. Throws Error for a file that names its model, unless `described.if_needed`.
WeightsFile read_weights_file(const std::filesystem::path& path, const WeightsDescription& described = {});

enum class Heads : std::uint8_t {
  load,
  keep,  ///< like load_all_but_heads
};

/// Loads the tensors; errors name the file. Auxiliary heads without any tensor in the file (state dicts without
/// auxiliary heads) keep their values; their names are returned.
std::vector<std::string> load_weights(Network& network, const WeightsFile& weights, const std::filesystem::path& path,
                                      Heads heads = Heads::load);

/// Throws Error, naming both sources, if the class names of weights and data differ.
void check_class_names(const std::string& weights, const std::vector<std::string>& of_weights, const std::string& data,
                       const std::vector<std::string>& of_data);

}  // namespace minception
