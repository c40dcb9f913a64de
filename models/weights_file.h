#pragma once
/// What a weights file says about itself, as JSON in its metadata: the model, the preprocessing of its images and the
/// names of its classes. With these a file alone is enough to predict.

#include <minception/core/safetensors.h>
#include <minception/models/network.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// Tensors of a checkpoint with this prefix are the optimizer's, not the model's.
inline constexpr const char* kOptimizerPrefix = "optimizer.";
/// Those with this one are averages of the model's, and better than them (NetworkOptions::ema_decay).
inline constexpr const char* kAveragePrefix = "average.";

/// Of the tensors of a file, those that a model is to be used with: without the optimizer's, and averages in place of what
/// they are averages of.
std::map<std::string, FileTensor> weights_among(std::map<std::string, FileTensor> tensors);

/// The names of the parameters that make logits, of the main and of auxiliary heads: of the last layer with parameters of
/// each. What another number of classes changes.
std::vector<std::string> head_parameters(const Network& network);

/// Sets all parameters and statistics but those, which stay as they are: for the weights of a network that tells other
/// classes apart. Throws Error like Network::load_state.
void load_all_but_heads(Network& network, std::map<std::string, FileTensor> weights);

std::map<std::string, std::string> weights_metadata(const Network& network,
                                                    const std::vector<std::string>& class_names);

struct WeightsFile {
  bool described = false;  ///< the file has tensors only; the rest follows from a WeightsDescription
  ModelConfig config;
  /// (C, H, W) of the data set's images before they were resized to the model's input; the input where the file does
  /// not say. Other images are resized to this first, so that the network sees them as sharp as in training.
  Shape image;
  ImageOptions image_options;       ///< how image files became images of that size
  std::vector<float> scale, shift;  ///< of pixels: y = pixel * scale + shift
  std::vector<std::string> class_names;
  /// Parameters and statistics, in f32 where the file has another precision: weights_among all that is in the file.
  std::map<std::string, FileTensor> tensors;
};

/// (pixel - mean) / deviation for pixels in [0, 1]; one value for all channels or one per channel.
struct Normalization {
  std::vector<double> mean = {0.0}, deviation = {1.0};

  /// The same for pixels from 0 to 255, as y = pixel * scale + shift.
  std::vector<float> scale() const;
  std::vector<float> shift() const;
};

/// The shortest decimal numbers whose `scale` and `shift` are exactly these, one per channel unless all channels have the
/// same; none where a deviation would not be above 0.
std::optional<Normalization> normalization_of(std::span<const float> scale, std::span<const float> shift);

/// What is to be said of a file of nothing but tensors, such as a state dict of PyTorch's.
struct WeightsDescription {
  std::string model;  ///< as make_model knows it; "" for files that say it themselves
  Shape size;         ///< (H, W) of the input; rank 0: the one of default_config
  ImageOptions image_options;
  Normalization normalization;
  bool transform_input = true;  ///< see ModelConfig
  bool if_needed = false;       ///< a file that names its model itself is no error: this description is not used then
};

/// Reads a file that training wrote: model.safetensors or a checkpoint. Throws Error with the file name and what is
/// missing if the metadata are not those of `weights_metadata`, for instance in a file that PyTorch wrote; and with the names
/// of the tensors if numbers are not finite (check_numbers).
///
/// With a model described it reads a file without metadata instead, whose tensors are named as that model's, perhaps with
/// a prefix (strip_prefix): the channels of the input and the number of classes follow from the shapes of the first and last
/// weights, and classes are called "0", "1" and so on. Throws Error for a file that names a model itself.
WeightsFile read_weights_file(const std::filesystem::path& path, const WeightsDescription& described = {});

enum class Heads : std::uint8_t {
  load,
  keep,  ///< as load_all_but_heads
};

/// Loads the tensors; an Error names the file. Auxiliary heads of which the file has no tensor, as in state dicts of
/// networks without them, keep their values, and are returned.
std::vector<std::string> load_weights(Network& network, const WeightsFile& weights, const std::filesystem::path& path,
                                      Heads heads = Heads::load);

/// Throws Error, naming both sources, unless a model of these class names answers for those of a data set.
void check_class_names(const std::string& weights, const std::vector<std::string>& of_weights, const std::string& data,
                       const std::vector<std::string>& of_data);

}  // namespace minception
