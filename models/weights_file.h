#pragma once
/// What a weights file says about itself, as JSON in its metadata: the model, the preprocessing of its images and the
/// names of its classes. With these a file alone is enough to predict.

#include <minception/core/safetensors.h>
#include <minception/models/network.h>

#include <filesystem>
#include <map>
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
  ModelConfig config;
  /// (C, H, W) of the data set's images before they were resized to the model's input; the input where the file does
  /// not say. Other images are resized to this first, so that the network sees them as sharp as in training.
  Shape image;
  std::vector<float> scale, shift;  ///< of pixels: y = pixel * scale + shift
  std::vector<std::string> class_names;
  std::map<std::string, FileTensor> tensors;  ///< parameters and statistics: weights_among all that is in the file
};

/// What is to be said of a file of nothing but tensors, such as a state dict of PyTorch's.
struct WeightsDescription {
  std::string model;  ///< as make_model knows it; "" for files that say it themselves
  Shape size;         ///< (H, W) of the input; rank 0: the one of default_config
  /// Of pixels in [0, 1], one value for all channels or one per channel: what training took off, and divided by.
  std::vector<double> mean = {0.0}, deviation = {1.0};
};

/// Reads a file that training wrote: model.safetensors or a checkpoint. Throws Error with the file name and what is
/// missing if the metadata are not those of `weights_metadata`, for instance in a file that PyTorch wrote.
///
/// With a model described it reads a file without metadata instead, whose tensors are named as that model's: the channels
/// of the input and the number of classes follow from the shapes of the first and last weights, and classes are called
/// "0", "1" and so on. The auxiliary classifiers may be missing, all of one's tensors: zeros take their place, since
/// nothing but training reads them. Throws Error for a file that names a model itself.
WeightsFile read_weights_file(const std::filesystem::path& path, const WeightsDescription& described = {});

/// Loads the tensors; an Error names the file.
void load_weights(Network& network, const WeightsFile& weights, const std::filesystem::path& path);

}  // namespace minception
